package org.imageqx.demo.photo

/** Walks the segments of a JPEG file, whose embedded previews are JPEGs too and must not be taken for it. */
internal class Jpeg(private val bytes: ByteArray) {
    /**
     * Whether colour has fewer samples along one side alone (4:2:2, 4:4:0). Such photos are decoded one scale larger, since
     * libjpeg scales their colour down with the brightness; see `_decode_reduced` of preprocess.py.
     */
    fun hasUnevenColour(): Boolean {
        val head = find { it in FRAMES } ?: return false
        val count = bytes.at(head + 9)
        val factors = (0 until count).map { bytes.at(head + 11 + 3 * it) }
        val widest = factors.maxOf { it shr 4 }
        val tallest = factors.maxOf { it and 15 }
        return factors.any { widest * (it and 15) != tallest * (it shr 4) }
    }

    /** Whether the end of the image is there; what cameras append to it is ignored. */
    fun isComplete(): Boolean = find { it == END } != null

    /** Returns where the first marker is whose kind is [wanted], at its FF, or null before the file ends. */
    private fun find(wanted: (Int) -> Boolean): Int? {
        var at = 2
        while (at + 1 < bytes.size && bytes.at(at) == 0xFF) {
            val kind = bytes.at(at + 1)
            if (wanted(kind)) return at
            at = when (kind) {
                0xFF -> at + 1
                SCAN -> skipData(at + 2 + bytes.at16(at + 2))
                in STANDALONE -> at + 2
                else -> at + 2 + bytes.at16(at + 2)
            }
        }
        return null
    }

    /** Returns where the coded data from [start] end: at a marker that is neither a stuffed byte nor a restart. */
    private fun skipData(start: Int): Int {
        var at = start
        while (at + 1 < bytes.size) {
            if (bytes.at(at) == 0xFF) {
                val next = bytes.at(at + 1)
                if (next != 0 && next != 0xFF && next !in RESTARTS) return at
            }
            at += 1
        }
        return bytes.size
    }

    companion object {
        private const val SCAN = 0xDA
        private const val END = 0xD9
        private val RESTARTS = 0xD0..0xD7
        private val STANDALONE = setOf(0x01, 0xD8, END) + RESTARTS

        /** Start of frame, whatever the coding; C4, C8 and CC are tables. */
        private val FRAMES = (0xC0..0xCF).toSet() - setOf(0xC4, 0xC8, 0xCC)

        /** Whether a file begins as a JPEG does. */
        fun begins(bytes: ByteArray): Boolean =
            bytes.size > 3 && bytes.at16(0) == 0xFFD8 && bytes.at(2) == 0xFF
    }
}

/**
 * Tells whether a photo's file has its end.
 *
 * BitmapFactory gives the lower part of a truncated photo in grey, without an error, and the model would assess that.
 * Kinds of files whose end is not marked are taken to be whole.
 */
internal fun isComplete(bytes: ByteArray): Boolean = when {
    Jpeg.begins(bytes) -> Jpeg(bytes).isComplete()
    bytes.beginsWith(PNG) -> hasPngEnd(bytes)
    bytes.beginsWith(RIFF) && bytes.size >= 8 -> bytes.size >= 8 + bytes.littleEndian(4)
    else -> true
}

private fun hasPngEnd(bytes: ByteArray): Boolean {
    var at = 8L
    while (at + 12 <= bytes.size) {
        val start = at.toInt()
        if (bytes.at16(start + 4) == 0x4945 && bytes.at16(start + 6) == 0x4E44) return true
        at += 12 + bytes.at16(start).toLong() * 65536 + bytes.at16(start + 2)
    }
    return false
}

private fun ByteArray.beginsWith(head: String): Boolean = head.indices.all { it < size && at(it) == head[it].code }

private fun ByteArray.at(index: Int): Int = if (index in indices) this[index].toInt() and 0xFF else 0

private fun ByteArray.at16(index: Int): Int = (at(index) shl 8) or at(index + 1)

private fun ByteArray.littleEndian(start: Int): Long = (0..3).sumOf { at(start + it).toLong() shl (8 * it) }

private const val PNG = "\u0089PNG\r\n\u001A\n"
private const val RIFF = "RIFF"
