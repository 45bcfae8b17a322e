package org.imageqx.core.model

import org.imageqx.core.ModelDamaged
import java.nio.ByteBuffer
import java.nio.ByteOrder

private const val ENTRY = "spec.json"
private const val END_SIGNATURE = 0x06054b50
private const val CENTRAL_SIGNATURE = 0x02014b50
private const val LOCAL_SIGNATURE = 0x04034b50
private const val END_SIZE = 22
private const val CENTRAL_SIZE = 46
private const val LOCAL_SIZE = 30
private const val LARGEST_COMMENT = 0xFFFF

/**
 * Reads the ModelSpec that a .tflite file carries: the entry `spec.json` of a zip behind the model.
 *
 * [java.util.zip.ZipFile] would need a file, and an app's model is mapped from its assets.
 *
 * @param file the whole file; its position stays.
 * @param where what errors call it.
 * @throws ModelDamaged there is none, so the file is cut off or was not exported by imageqx-export.
 */
public fun readEmbeddedSpec(file: ByteBuffer, where: String): ModelSpec {
    val bytes = file.duplicate().order(ByteOrder.LITTLE_ENDIAN)
    val entry = try {
        findEntry(bytes)
    } catch (error: IndexOutOfBoundsException) {
        throw ModelDamaged(where, "a zip that points outside the file", error)
    }
    return readSpecOfMetadata(entry ?: throw ModelDamaged(where, "no $ENTRY behind the model"), where)
}

private fun findEntry(bytes: ByteBuffer): String? {
    val end = findEnd(bytes) ?: return null
    val count = bytes.getShort(end + 10).toInt() and 0xFFFF
    var at = bytes.getInt(end + 16)
    repeat(count) {
        if (bytes.getInt(at) != CENTRAL_SIGNATURE) return null
        val name = bytes.getText(at + CENTRAL_SIZE, bytes.getSize(at + 28))
        val isStored = bytes.getShort(at + 10).toInt() == 0
        if (name == ENTRY && isStored) return readLocal(bytes, bytes.getInt(at + 42), bytes.getInt(at + 24))
        at += CENTRAL_SIZE + bytes.getSize(at + 28) + bytes.getSize(at + 30) + bytes.getSize(at + 32)
    }
    return null
}

private fun findEnd(bytes: ByteBuffer): Int? {
    val first = maxOf(0, bytes.limit() - END_SIZE - LARGEST_COMMENT)
    return (bytes.limit() - END_SIZE downTo first).firstOrNull { bytes.getInt(it) == END_SIGNATURE }
}

private fun readLocal(bytes: ByteBuffer, at: Int, size: Int): String? {
    if (bytes.getInt(at) != LOCAL_SIGNATURE) return null
    return bytes.getText(at + LOCAL_SIZE + bytes.getSize(at + 26) + bytes.getSize(at + 28), size)
}

private fun ByteBuffer.getSize(at: Int): Int = getShort(at).toInt() and 0xFFFF

private fun ByteBuffer.getText(at: Int, size: Int): String {
    if (size < 0 || at < 0 || at + size > limit()) throw IndexOutOfBoundsException("$size bytes at $at of ${limit()}")
    val text = ByteArray(size) { get(at + it) }
    return text.toString(Charsets.UTF_8)
}
