package org.imageqx.core.picture

/**
 * Both passes over a photo whose stored rows are upright columns: EXIF turns it by a quarter.
 *
 * The pass along upright rows runs across stored rows, so each stored row is added to the strips of the output columns
 * that it belongs to; a strip that is complete is shrunk along itself.
 */
internal class ColumnPass(private val out: Pixels) {
    private var row = IntArray(0)
    private var strips = emptyArray<Strip>()
    private var line = IntArray(0)

    fun run(picture: Picture, orientation: Orientation, columns: Weights, rows: Weights) {
        prepare(picture.width, columns.countOpen())
        var begun = 0
        var done = 0
        for (x in 0 until picture.height) {
            picture.readRow(if (orientation.flipsColumns) picture.height - 1 - x else x, row)
            if (!picture.isOpaque) layOverWhite(row, picture.width)
            if (orientation.flipsRows) row.reverse(0, picture.width)
            while (begun < columns.outputs && columns.first[begun] <= x) strips[begun++ % strips.size].clear(picture.width)
            for (output in done until begun) {
                val weight = columns.values[columns.start[output] + x - columns.first[output]]
                strips[output % strips.size].add(row, weight, picture.width)
            }
            while (done < begun && columns.end(done) <= x + 1) finish(done++, rows, picture.width)
        }
    }

    private fun prepare(width: Int, open: Int) {
        if (row.size < width) {
            row = IntArray(width)
            line = IntArray(width)
        }
        // One more than are open: an output may begin at the row that completes another.
        if (strips.size < open + 1 || strips[0].size < width) strips = Array(open + 1) { Strip(width) }
    }

    /** Shrinks a complete strip along itself into the output's column. */
    private fun finish(column: Int, rows: Weights, width: Int) {
        val strip = strips[column % strips.size]
        for (channel in strip.channels.indices) {
            val sums = strip.channels[channel]
            for (i in 0 until width) line[i] = sums[i] shr WEIGHT_BITS
            for (output in 0 until rows.outputs) {
                val begin = rows.start[output]
                val shift = rows.first[output] - begin
                var sum = WEIGHT_HALF
                for (k in begin until rows.start[output + 1]) sum += line[k + shift] * rows.values[k]
                out.bytes[(output * out.width + column) * Pixels.CHANNELS + channel] = (sum shr WEIGHT_BITS).toByte()
            }
        }
    }

    /** Sums of an output column before its second pass, per stored column. */
    private class Strip(val size: Int) {
        private val red = IntArray(size)
        private val green = IntArray(size)
        private val blue = IntArray(size)
        val channels = arrayOf(red, green, blue)

        fun clear(width: Int) {
            for (sums in channels) sums.fill(WEIGHT_HALF, 0, width)
        }

        fun add(row: IntArray, weight: Int, width: Int) {
            for (i in 0 until width) red[i] += (row[i] ushr 16 and 0xFF) * weight
            for (i in 0 until width) green[i] += (row[i] ushr 8 and 0xFF) * weight
            for (i in 0 until width) blue[i] += (row[i] and 0xFF) * weight
        }
    }
}
