package org.imageqx.demo.photo

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Assertions.assertThrows
import java.io.File
import java.io.IOException
import java.io.InputStream
import kotlin.io.path.createTempDirectory

internal class JpegTest {
    private fun bytes(vararg values: Int) = ByteArray(values.size) { values[it].toByte() }

    /** A JPEG without pixels: EXIF with a preview that ends, a frame of three components, a scan. */
    private fun jpeg(luma: Int): ByteArray =
        bytes(0xFF, 0xD8, 0xFF, 0xE1, 0, 8, 0xFF, 0xD8, 0xFF, 0xD9, 1, 1) +
            bytes(0xFF, 0xC0, 0, 17, 8, 0, 16, 0, 16, 3, 1, luma, 0, 2, 0x11, 1, 3, 0x11, 1) +
            bytes(0xFF, 0xDA, 0, 4, 0, 0, 1, 2, 0xFF, 0, 0xFF, 0xD3, 7) + bytes(0xFF, 0xD9)

    @Test
    fun findsTheEndBehindAPreviewsEnd() {
        val whole = jpeg(0x22)
        assertTrue(isComplete(whole))
        assertTrue(isComplete(whole + bytes(0, 0, 1)), "bytes behind the end")
        for (length in 4 until whole.size) assertFalse(isComplete(whole.copyOf(length)), "$length bytes")
    }

    @Test
    fun knowsColourThatIsUneven() {
        assertFalse(Jpeg(jpeg(0x22)).hasUnevenColour(), "4:2:0")
        assertFalse(Jpeg(jpeg(0x11)).hasUnevenColour(), "4:4:4")
        assertTrue(Jpeg(jpeg(0x21)).hasUnevenColour(), "4:2:2")
        assertTrue(Jpeg(jpeg(0x12)).hasUnevenColour(), "4:4:0")
    }

    @Test
    fun knowsTheEndsOfOtherKinds() {
        val png = bytes(0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A) + bytes(0, 0, 0, 1, 0x49, 0x44, 0x41, 0x54, 5, 0, 0, 0, 0)
        assertFalse(isComplete(png))
        assertTrue(isComplete(png + bytes(0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0, 0, 0, 0)))
        val riff = bytes(0x52, 0x49, 0x46, 0x46, 6, 0, 0, 0, 0x57, 0x45, 0x42, 0x50, 1)
        assertFalse(isComplete(riff))
        assertTrue(isComplete(riff + bytes(1)))
        assertTrue(isComplete(bytes(1, 2, 3)), "an unknown kind")
    }
}

internal class PhotoStoreTest {
    private val folder = createTempDirectory().toFile()
    private val store = PhotoStore(folder, limit = 10)

    @Test
    fun keepsTheNewestAlone() {
        val first = store.save("one".byteInputStream())
        val second = store.save("two".byteInputStream())
        store.clear(kept = second)
        assertFalse(first.exists())
        assertEquals("two", second.readText())
        store.clear()
        assertEquals(emptyList<File>(), folder.listFiles().orEmpty().toList())
    }

    @Test
    fun leavesNothingOfWhatFails() {
        assertThrows(PhotoTooLargeException::class.java) { store.save("more than ten bytes".byteInputStream()) }
        val broken = object : InputStream() {
            override fun read(): Int = throw IOException("gone")
        }
        assertThrows(IOException::class.java) { store.save(broken) }
        assertEquals(emptyList<File>(), folder.listFiles().orEmpty().toList())
    }
}
