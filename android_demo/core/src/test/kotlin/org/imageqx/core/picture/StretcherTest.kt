package org.imageqx.core.picture

import kotlinx.serialization.json.JsonObject
import org.imageqx.core.Golden
import org.imageqx.core.countDifferences
import org.imageqx.core.doubles
import org.imageqx.core.flag
import org.imageqx.core.int
import org.imageqx.core.model.Preprocessing
import org.imageqx.core.text
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import java.lang.management.ManagementFactory

class StretcherTest {
    private val cases = Golden.cases("pixels")

    /** One for all photos of a size, as an app has it: nothing of the last one may show in the next. */
    private val stretchers = mutableMapOf<Preprocessing, Stretcher>()
    private val stretcher = Stretcher(Preprocessing(224, 224))

    @TestFactory
    fun `0 bytes differ from Pillow`(): List<DynamicTest> = cases.map { case ->
        dynamicTest("${case.text("name")} to ${case.int("outWidth")} × ${case.int("outHeight")}") {
            val by = stretchers.getOrPut(case.size()) { Stretcher(case.size()) }
            assertEquals(0, countDifferences(case.expected(), case.stretch(by).bytes))
        }
    }

    @Test
    fun `columns first is another picture`() {
        val case = cases.first { it.int("width") == 720 && it.int("orientation") == 1 && it.int("outWidth") == 224 }
        val width = case.int("width")
        val height = case.int("height")
        val pixels = case.pixels()
        val transposed = IntArray(pixels.size) { pixels[(it % height) * width + it / height] }
        val turned = stretcher.stretch(ArgbPicture(height, width, transposed, isOpaque = true), margins = case.margins().turn(Orientation.TRANSPOSED))
        val back = ByteArray(turned.bytes.size) {
            turned.bytes[(it / 3 % 224 * 224 + it / 3 / 224) * 3 + it % 3]
        }
        val share = countDifferences(case.expected(), back).toDouble() / back.size
        assertTrue(share > 0.1, "$share of the bytes differ")
    }

    @Test
    fun `a photo allocates nothing once the buffers are there`() {
        val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
        for (orientation in listOf(Orientation.UPRIGHT, Orientation.TURNED_RIGHT)) {
            val photo = ArgbPicture(640, 480, IntArray(640 * 480) { it * 2654435 }, isOpaque = true)
            repeat(2) { stretcher.stretch(photo, orientation) }
            val before = threads.getThreadAllocatedBytes(Thread.currentThread().id)
            repeat(10) { stretcher.stretch(photo, orientation) }
            val each = (threads.getThreadAllocatedBytes(Thread.currentThread().id) - before) / 10
            assertTrue(each < 1024, "$orientation: $each bytes a photo, of which a row has ${4 * 640}")
        }
    }

    @Test
    fun `nonsense in EXIF is upright`() = assertEquals(Orientation.UPRIGHT, Orientation.ofExif(9))

    @Test
    fun `a reduced JPEG does not cover its last pixel`() {
        assertEquals(Margins(right = 0.5, bottom = 0.0), Margins.ofReduced(1003, 752, reduction = 2))
    }

    private fun JsonObject.pixels(): IntArray {
        val bytes = Golden.bytes(text("picture"))
        fun at(i: Int) = bytes[i].toInt() and 255
        return IntArray(bytes.size / 4) {
            at(4 * it + 3) shl 24 or (at(4 * it) shl 16) or (at(4 * it + 1) shl 8) or at(4 * it + 2)
        }
    }

    private fun JsonObject.size() = Preprocessing(int("outWidth"), int("outHeight"))

    private fun JsonObject.expected(): ByteArray = Golden.bytes(text("expected"))

    private fun JsonObject.margins(): Margins = doubles("margins").let { Margins(it[0], it[1], it[2], it[3]) }

    private fun JsonObject.stretch(by: Stretcher): Pixels {
        val picture = ArgbPicture(int("width"), int("height"), pixels(), flag("opaque"))
        return by.stretch(picture, Orientation.ofExif(int("orientation")), margins())
    }
}
