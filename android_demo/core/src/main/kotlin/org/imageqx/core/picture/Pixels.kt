package org.imageqx.core.picture

/**
 * What a model takes: uint8 [height, width, 3], sRGB, red first.
 *
 * @property bytes row by row; shared with whoever made them until the next photo.
 */
public class Pixels(public val width: Int, public val height: Int, public val bytes: ByteArray) {
    init {
        require(bytes.size == width * height * CHANNELS) { "expected ${width * height * CHANNELS} bytes, got ${bytes.size}" }
    }

    public companion object {
        /** Red, green, blue. */
        public const val CHANNELS: Int = 3
    }
}

/** Lays the first [width] pixels of a row over white, as Pillow's composite rounds it. */
internal fun layOverWhite(row: IntArray, width: Int) {
    for (x in 0 until width) {
        val pixel = row[x]
        val alpha = pixel ushr 24
        if (alpha == 255) continue
        val white = 255 * (255 - alpha)
        val red = divideBy255((pixel shr 16 and 255) * alpha + white)
        val green = divideBy255((pixel shr 8 and 255) * alpha + white)
        val blue = divideBy255((pixel and 255) * alpha + white)
        row[x] = (255 shl 24) or (red shl 16) or (green shl 8) or blue
    }
}

private fun divideBy255(value: Int): Int {
    val rounded = value + 128
    return (rounded shr 8) + rounded shr 8
}
