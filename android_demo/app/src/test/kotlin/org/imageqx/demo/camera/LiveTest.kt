package org.imageqx.demo.camera

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer
import kotlin.math.abs
import kotlin.math.exp

private const val MILLI = 1_000_000L

internal class ThrottleTest {
    /** Plays a camera of 30 frames a second for ten seconds, and returns the share of time that was spent. */
    private fun play(throttle: Throttle, took: Long): Pair<Int, Double> {
        var now = 0L
        var count = 0
        while (now < 10_000 * MILLI) {
            if (throttle.begin(now)) {
                count += 1
                now += took
                throttle.end(now)
            } else {
                now += 33 * MILLI
            }
        }
        return count to count * took / now.toDouble()
    }

    @Test
    fun keepsToItsShareOnASlowPhone() {
        val (count, share) = play(Throttle(share = 0.4), 400 * MILLI)
        assertTrue(share in 0.3..0.4, "$share")
        assertTrue(count in 8..10, "$count")
    }

    @Test
    fun assessesFiveFramesASecondAtMost() {
        val (count, share) = play(Throttle(share = 0.4), 10 * MILLI)
        assertTrue(count in 40..50, "$count")
        assertTrue(share < 0.06, "$share")
    }

    @Test
    fun refusesASecondFrameMeanwhile() {
        val throttle = Throttle()
        assertTrue(throttle.begin(0))
        assertFalse(throttle.begin(10_000 * MILLI))
        throttle.end(10_000 * MILLI)
        assertFalse(throttle.begin(10_001 * MILLI))
        assertTrue(throttle.begin(30_000 * MILLI))
        assertThrows(IllegalArgumentException::class.java) { Throttle(share = 0.0) }
    }
}

internal class SmootherTest {
    @Test
    fun approachesAStepAsItsTimeConstantSaysWhateverTheFrameRate() {
        for (gap in listOf(20L, 60L, 200L)) {
            val smoother = Smoother(tau = 600 * MILLI)
            smoother.add(floatArrayOf(0f), 0)
            var value = 0f
            for (time in gap..600 step gap) value = smoother.add(floatArrayOf(1f), time * MILLI)[0]
            assertEquals(1 - exp(-1.0).toFloat(), value, 1e-5f, "a frame each $gap ms")
        }
    }

    @Test
    fun calmsNoise() {
        val smoother = Smoother()
        var worst = 0f
        for (frame in 0..50) {
            val value = smoother.add(floatArrayOf(if (frame % 2 == 0) 0.4f else 0.6f), frame * 200 * MILLI)[0]
            if (frame > 10) worst = maxOf(worst, abs(value - 0.5f))
        }
        assertTrue(worst < 0.05, "$worst")
    }

    @Test
    fun beginsAnewAfterAGapOrForAnotherModel() {
        val smoother = Smoother(forget = 3_000 * MILLI)
        smoother.add(floatArrayOf(0f), 0)
        assertEquals(1f, smoother.add(floatArrayOf(1f), 3_001 * MILLI)[0])
        assertArrayEquals(floatArrayOf(1f, 1f), smoother.add(floatArrayOf(1f, 1f), 3_002 * MILLI))
        smoother.clear()
        assertEquals(0.3f, smoother.add(floatArrayOf(0.3f), 3_003 * MILLI)[0])
    }

    @Test
    fun anAdviceStaysUntilAnotherIsTheBetterOneForAWhile() {
        val steady = Steady<String>(hold = 500 * MILLI)
        assertEquals("blurry", steady.choose("blurry", 0))
        assertEquals("blurry", steady.choose("dark", 100 * MILLI))
        assertEquals("blurry", steady.choose("blurry", 200 * MILLI))
        assertEquals("blurry", steady.choose("dark", 400 * MILLI))
        assertEquals("blurry", steady.choose("dark", 800 * MILLI))
        assertEquals("dark", steady.choose("dark", 900 * MILLI))
    }
}

internal class YuvTest {
    /** A frame of 4 × 2 with rows padded to 6 bytes and interleaved colour, as phones have it. */
    private val y = Plane(buffer(16, 76, 150, 255, 9, 9, 29, 0, 128, 200, 9, 9), 6, 1)
    private val colour = buffer(84, 255, 128, 128)
    private val u = Plane(colour, 4, 2)
    private val v = Plane(buffer(255, 128, 128, 128), 4, 2)

    private fun buffer(vararg bytes: Int): ByteBuffer = ByteBuffer.wrap(ByteArray(bytes.size) { bytes[it].toByte() })

    private fun convert(rotation: Int) = IntArray(8).also { convertFrame(y, u, v, 4, 2, rotation, it) }

    @Test
    fun convertsAsJfifSays() {
        val pixels = convert(0)
        // Red of BT.601: Y 76, Cb 84, Cr 255.
        assertEquals("fffe0000", Integer.toHexString(pixels[1]))
        assertEquals("ffffffff", Integer.toHexString(pixels[3]))
        assertEquals("ff808080", Integer.toHexString(pixels[6]))
    }

    @Test
    fun turnsClockwise() {
        val upright = convert(0)
        val right = convert(90)
        assertEquals(listOf(4, 0, 5, 1, 6, 2, 7, 3).map { upright[it] }, right.toList())
        assertEquals(upright.reversed(), convert(180).toList())
        assertEquals(right.reversed(), convert(270).toList())
        assertThrows(IllegalArgumentException::class.java) { convert(45) }
    }
}

internal class SizesTest {
    private fun sizes(vararg pairs: Pair<Int, Int>) = pairs.map { PictureSize(it.first, it.second) }

    @Test
    fun takesTheLargestPhotoAndItsProportions() {
        val chosen = chooseSizes(
            photos = sizes(1920 to 1080, 4032 to 3024, 4000 to 2250),
            previews = sizes(3840 to 2160, 1920 to 1080, 1440 to 1080, 640 to 480),
            frames = sizes(320 to 240, 640 to 480, 1280 to 960, 1280 to 720),
        )
        assertEquals(StreamSizes(PictureSize(4032, 3024), PictureSize(1440, 1080), PictureSize(640, 480)), chosen)
    }

    @Test
    fun makesDoWithOtherProportions() {
        val chosen = chooseSizes(sizes(1280 to 720), sizes(640 to 480), sizes(176 to 144))
        assertEquals(PictureSize(176, 144), chosen?.frame)
        assertNull(chooseSizes(emptyList(), sizes(640 to 480), sizes(640 to 480)))
        assertNull(chooseSizes(sizes(640 to 480), emptyList(), sizes(640 to 480)))
    }

    @Test
    fun turnsAsAndroidsGuideSays() {
        assertEquals(90, rotationOf(sensor = 90, display = 0, front = false))
        assertEquals(0, rotationOf(sensor = 90, display = 90, front = false))
        assertEquals(180, rotationOf(sensor = 90, display = 270, front = false))
        assertEquals(0, rotationOf(sensor = 270, display = 90, front = true))
    }
}
