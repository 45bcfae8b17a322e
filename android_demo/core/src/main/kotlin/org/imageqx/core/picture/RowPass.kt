package org.imageqx.core.picture

/**
 * Both passes over a photo whose stored rows are upright rows, or those mirrored.
 *
 * Each stored row is shrunk along itself, and then added to the sums of the output rows that it belongs to.
 */
internal class RowPass(private val out: Pixels) {
    private var row = IntArray(0)
    private val line = IntArray(out.width * Pixels.CHANNELS)
    private val sums = IntArray(out.bytes.size)

    fun run(picture: Picture, orientation: Orientation, columns: RowShrinker, rows: Weights) {
        if (row.size < picture.width) row = IntArray(picture.width)
        sums.fill(WEIGHT_HALF)
        var oldest = 0
        for (y in 0 until picture.height) {
            while (oldest < rows.outputs && rows.end(oldest) <= y) oldest++
            picture.readRow(if (orientation.flipsRows) picture.height - 1 - y else y, row)
            if (!picture.isOpaque) layOverWhite(row, picture.width)
            if (orientation.flipsColumns) row.reverse(0, picture.width)
            columns.shrink(row, line)
            addTo(y, oldest, rows)
        }
        for (i in sums.indices) out.bytes[i] = (sums[i] shr WEIGHT_BITS).toByte()
    }

    private fun addTo(y: Int, oldest: Int, rows: Weights) {
        var output = oldest
        while (output < rows.outputs && rows.first[output] <= y) {
            val weight = rows.values[rows.start[output] + y - rows.first[output]]
            val at = output * line.size
            for (i in line.indices) sums[at + i] += line[i] * weight
            output++
        }
    }
}
