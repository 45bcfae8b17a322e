package org.imageqx.core.picture

/**
 * What brings a stored picture upright; the names say what is done to it, in this order: turned, then mirrored.
 *
 * @property exif the value of EXIF's tag Orientation.
 * @property swapsSides whether rows become columns.
 * @property flipsColumns whether upright columns run against the stored picture's axis that they come from.
 * @property flipsRows likewise for rows.
 */
public enum class Orientation(
    public val exif: Int,
    public val swapsSides: Boolean,
    internal val flipsColumns: Boolean,
    internal val flipsRows: Boolean,
) {
    UPRIGHT(1, false, false, false),
    MIRRORED(2, false, true, false),
    UPSIDE_DOWN(3, false, true, true),
    UPSIDE_DOWN_MIRRORED(4, false, false, true),
    TRANSPOSED(5, true, false, false),
    TURNED_RIGHT(6, true, true, false),
    TRANSVERSED(7, true, true, true),
    TURNED_LEFT(8, true, false, true),
    ;

    public companion object {
        /** Returns the orientation that EXIF says; what is no orientation is upright, as viewers do. */
        public fun ofExif(value: Int): Orientation = entries.firstOrNull { it.exif == value } ?: UPRIGHT
    }
}

/**
 * What a photo does not cover of a decoded picture's edges, in pixels.
 *
 * A JPEG of 1003 columns decodes at half size to 502, of which the photo covers 501.5: its right margin is 0.5.
 */
public data class Margins(
    val left: Double = 0.0,
    val top: Double = 0.0,
    val right: Double = 0.0,
    val bottom: Double = 0.0,
) {
    /** Returns the margins of the picture when it is upright. */
    public fun turn(by: Orientation): Margins {
        val columns = if (by.swapsSides) top to bottom else left to right
        val rows = if (by.swapsSides) left to right else top to bottom
        val (newLeft, newRight) = if (by.flipsColumns) columns.second to columns.first else columns
        val (newTop, newBottom) = if (by.flipsRows) rows.second to rows.first else rows
        return Margins(newLeft, newTop, newRight, newBottom)
    }

    public companion object {
        /**
         * Returns the margins of a JPEG decoded at a scale of 1 / [reduction].
         *
         * @param width the photo's columns, undecoded.
         * @param height its rows.
         */
        public fun ofReduced(width: Int, height: Int, reduction: Int): Margins = Margins(
            right = cover(width, reduction),
            bottom = cover(height, reduction),
        )

        private fun cover(side: Int, reduction: Int): Double =
            (side + reduction - 1) / reduction - side.toDouble() / reduction
    }
}
