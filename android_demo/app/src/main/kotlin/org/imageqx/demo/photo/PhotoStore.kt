package org.imageqx.demo.photo

import java.io.File
import java.io.IOException
import java.io.InputStream

/** A photo's file has more bytes than any phone's camera writes. */
internal class PhotoTooLargeException(message: String) : IOException(message)

/**
 * Keeps the photo that is being checked in the app's own cache, so that a rotation, or the end of the process in the
 * background, loses nothing; each has a name of its own, and all but the newest are deleted.
 */
internal class PhotoStore(private val folder: File, private val limit: Long = LIMIT) {
    /**
     * Copies [source] into a new file.
     *
     * @throws PhotoTooLargeException it has more than [limit] bytes; nothing is left of it.
     * @throws IOException it cannot be read, or the storage is full; likewise.
     */
    fun save(source: InputStream): File {
        folder.mkdirs()
        val file = File.createTempFile("photo", ".part", folder)
        try {
            file.outputStream().use { copy(source, it) }
            val whole = File(folder, file.name.removeSuffix(".part"))
            if (!file.renameTo(whole)) throw IOException("cannot rename $file")
            return whole
        } catch (error: IOException) {
            file.delete()
            throw error
        }
    }

    /** Deletes every photo but [kept]. */
    fun clear(kept: File? = null) {
        folder.listFiles().orEmpty().filter { it.path != kept?.path }.forEach { it.delete() }
    }

    private fun copy(source: InputStream, target: java.io.OutputStream) {
        val buffer = ByteArray(BUFFER)
        var total = 0L
        while (true) {
            val read = source.read(buffer)
            if (read < 0) return
            total += read
            if (total > limit) throw PhotoTooLargeException("more than $limit bytes")
            target.write(buffer, 0, read)
        }
    }

    private companion object {
        const val LIMIT = 128L * 1024 * 1024
        const val BUFFER = 64 * 1024
    }
}
