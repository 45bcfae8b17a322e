package org.imageqx.core.picture

/** One pass along a row: pixels `0xAARRGGBB` in, red, green and blue of the output samples out, one after another. */
internal fun interface RowShrinker {
    fun shrink(row: IntArray, into: IntArray)
}

/** Returns the quickest shrinker for some weights. */
internal fun chooseShrinker(columns: Weights, inputs: Int): RowShrinker =
    if (columns.countOpen() <= 2) PairShrinker(columns, inputs) else TapShrinker(columns)

/**
 * For weights by which every sample belongs to two outputs at most: as where a row becomes shorter.
 *
 * Each pixel is taken apart once, and multiplied once for both outputs, whose weights and sums share a Long, 32 bits
 * apart: weights are never negative and those of an output sum up to 1, so no carry meets.
 */
private class PairShrinker(columns: Weights, inputs: Int) : RowShrinker {
    private val ends = IntArray(columns.outputs) { columns.end(it) }
    private val pairs = LongArray(inputs)

    init {
        var output = 0
        for (i in 0 until columns.end(columns.outputs - 1)) {
            while (columns.end(output) <= i) output++
            val next = if (output + 1 < columns.outputs) columns.at(output + 1, i) else 0
            pairs[i] = columns.at(output, i).toLong() or (next.toLong() shl 32)
        }
    }

    override fun shrink(row: IntArray, into: IntArray) {
        val pairs = pairs
        var red = HALVES
        var green = HALVES
        var blue = HALVES
        var i = 0
        for (output in ends.indices) {
            val end = ends[output]
            while (i < end) {
                val pixel = row[i]
                val pair = pairs[i]
                red += (pixel ushr 16 and 0xFF) * pair
                green += (pixel ushr 8 and 0xFF) * pair
                blue += (pixel and 0xFF) * pair
                i++
            }
            into[output * 3] = red.toInt() shr WEIGHT_BITS
            into[output * 3 + 1] = green.toInt() shr WEIGHT_BITS
            into[output * 3 + 2] = blue.toInt() shr WEIGHT_BITS
            red = (red ushr 32) or NEXT_HALF
            green = (green ushr 32) or NEXT_HALF
            blue = (blue ushr 32) or NEXT_HALF
        }
    }

    private companion object {
        const val NEXT_HALF = WEIGHT_HALF.toLong() shl 32
        const val HALVES = NEXT_HALF or WEIGHT_HALF.toLong()
    }
}

/** For all weights: each output's samples on their own. */
private class TapShrinker(private val columns: Weights) : RowShrinker {
    override fun shrink(row: IntArray, into: IntArray) {
        for (output in 0 until columns.outputs) {
            val begin = columns.start[output]
            val shift = columns.first[output] - begin
            var red = WEIGHT_HALF
            var green = WEIGHT_HALF
            var blue = WEIGHT_HALF
            for (k in begin until columns.start[output + 1]) {
                val pixel = row[k + shift]
                val weight = columns.values[k]
                red += (pixel ushr 16 and 0xFF) * weight
                green += (pixel ushr 8 and 0xFF) * weight
                blue += (pixel and 0xFF) * weight
            }
            into[output * 3] = red shr WEIGHT_BITS
            into[output * 3 + 1] = green shr WEIGHT_BITS
            into[output * 3 + 2] = blue shr WEIGHT_BITS
        }
    }
}
