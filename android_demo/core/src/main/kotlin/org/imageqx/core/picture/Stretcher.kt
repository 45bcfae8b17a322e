package org.imageqx.core.picture

import org.imageqx.core.model.Preprocessing

/**
 * Stretches photos to a model's size, byte for byte as `imageqx_export/preprocess.py` does.
 *
 * The stretch is two passes over the upright photo, along its rows first, each rounding to 8 bits. Nothing of the
 * photo's size is allocated but a row of it (4 bytes a pixel) and, where EXIF turns it by a quarter, a strip of
 * [Weights.countOpen] of its rows (12 bytes a pixel). Both are kept for the next photo, and so is the result.
 *
 * Not safe for two threads at once.
 */
public class Stretcher(private val size: Preprocessing) {
    private val pixels = Pixels(size.width, size.height, ByteArray(size.width * size.height * Pixels.CHANNELS))
    private val alongRows = RowPass(pixels)
    private val alongColumns = ColumnPass(pixels)
    private var plan: Plan? = null

    /**
     * Stretches a photo.
     *
     * @param picture the decoded photo, as it is stored.
     * @param orientation what brings it upright.
     * @param margins what the photo does not cover of the stored picture's edges.
     * @return the model's pixels; the next call overwrites them.
     */
    public fun stretch(
        picture: Picture,
        orientation: Orientation = Orientation.UPRIGHT,
        margins: Margins = Margins(),
    ): Pixels {
        val plan = plan(Key(picture.width, picture.height, orientation, margins))
        if (orientation.swapsSides) {
            alongColumns.run(picture, orientation, plan.columns, plan.rows)
        } else {
            alongRows.run(picture, orientation, plan.shrinker, plan.rows)
        }
        return pixels
    }

    private fun plan(key: Key): Plan {
        plan?.let { if (it.key == key) return it }
        val upright = key.margins.turn(key.orientation)
        val width = if (key.orientation.swapsSides) key.height else key.width
        val height = if (key.orientation.swapsSides) key.width else key.height
        val columns = computeWeights(width, upright.left, width - upright.right, size.width)
        val rows = computeWeights(height, upright.top, height - upright.bottom, size.height)
        return Plan(key, columns, rows).also { plan = it }
    }

    private data class Key(val width: Int, val height: Int, val orientation: Orientation, val margins: Margins)

    /** The weights of the upright photo's columns (the pass along its rows) and of its rows. */
    private class Plan(val key: Key, val columns: Weights, val rows: Weights) {
        val shrinker = chooseShrinker(columns, if (key.orientation.swapsSides) key.height else key.width)
    }
}
