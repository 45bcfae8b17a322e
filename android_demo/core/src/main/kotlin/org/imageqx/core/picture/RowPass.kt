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

    fun run(picture: Picture, orientation: Orientation, columns: Weights, rows: Weights) {
        if (row.size < picture.width) row = IntArray(picture.width)
        sums.fill(WEIGHT_HALF)
        var oldest = 0
        for (y in 0 until picture.height) {
            while (oldest < rows.outputs && rows.end(oldest) <= y) oldest++
            picture.readRow(if (orientation.flipsRows) picture.height - 1 - y else y, row)
            if (!picture.isOpaque) layOverWhite(row, picture.width)
            if (orientation.flipsColumns) row.reverse(0, picture.width)
            shrink(columns)
            addTo(y, oldest, rows)
        }
        for (i in sums.indices) out.bytes[i] = (sums[i] shr WEIGHT_BITS).toByte()
    }

    /**
     * Writes the row's output samples into [line].
     *
     * Red and blue share a Long, 32 bits apart: weights are never negative and sum up to 1, so no carry meets.
     */
    private fun shrink(columns: Weights) {
        val row = row
        val values = columns.values
        for (output in 0 until columns.outputs) {
            val begin = columns.start[output]
            val shift = columns.first[output] - begin
            var redBlue = WEIGHT_HALF.toLong() shl 32 or WEIGHT_HALF.toLong()
            var green = WEIGHT_HALF
            for (k in begin until columns.start[output + 1]) {
                val pixel = row[k + shift]
                val weight = values[k]
                redBlue += ((pixel.toLong() and 0xFF0000 shl 16) or (pixel.toLong() and 0xFF)) * weight
                green += (pixel ushr 8 and 0xFF) * weight
            }
            line[output * 3] = (redBlue ushr 32).toInt() shr WEIGHT_BITS
            line[output * 3 + 1] = green shr WEIGHT_BITS
            line[output * 3 + 2] = redBlue.toInt() shr WEIGHT_BITS
        }
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
