package org.imageqx.core.attention

import kotlinx.serialization.json.JsonObject
import org.imageqx.core.Golden
import org.imageqx.core.countDifferences
import org.imageqx.core.floats
import org.imageqx.core.int
import org.imageqx.core.text
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.TestFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder

class OverlayTest {
    private val cases = Golden.cases("overlays")

    @TestFactory
    fun `heat is Pillow's, to the last bit`(): List<DynamicTest> = cases.map { case ->
        dynamicTest(case.size()) { assertArrayEquals(case.bits("heat"), case.heat().values.bits()) }
    }

    @TestFactory
    fun `colours are Python's, 0 bytes differ`(): List<DynamicTest> = cases.map { case ->
        dynamicTest(case.size()) {
            val picture = Golden.bytes(case.text("photo")).toPixels()
            blend(picture, case.heat())
            assertEquals(0, countDifferences(Golden.bytes(case.text("blended")), picture.toBytes()))
        }
    }

    private fun JsonObject.size() = "${int("width")} × ${int("height")}"

    private fun JsonObject.heat(): Heat =
        readHeat(floats("attention"), listOf(1, 5, 7, 7))[int("reason")].resize(int("width"), int("height"))

    private fun JsonObject.bits(name: String): IntArray {
        val numbers = ByteBuffer.wrap(Golden.bytes(text(name))).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer()
        return IntArray(numbers.remaining()) { numbers.get(it) }
    }

    /** 0.0 and -0.0 are one number. */
    private fun FloatArray.bits() = IntArray(size) { (this[it] + 0f).toRawBits() }

    private fun ByteArray.toPixels() = IntArray(size / 3) {
        (255 shl 24) or ((this[3 * it].toInt() and 255) shl 16) or ((this[3 * it + 1].toInt() and 255) shl 8) or
            (this[3 * it + 2].toInt() and 255)
    }

    private fun IntArray.toBytes() = ByteArray(3 * size) { (this[it / 3] shr (16 - 8 * (it % 3))).toByte() }
}
