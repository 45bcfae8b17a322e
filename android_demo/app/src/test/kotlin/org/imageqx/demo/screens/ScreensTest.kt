package org.imageqx.demo.screens

import android.graphics.Bitmap
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Every screen in every look: light and dark, a large font, three languages, both ways up. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApplication::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
internal class ScreensTest {
    private val looks = mapOf(
        "light" to Look("en-w411dp-h891dp-port-notnight-mdpi"),
        "dark" to Look("en-w411dp-h891dp-port-night-mdpi"),
        "large" to Look("en-w411dp-h891dp-port-notnight-mdpi", fontScale = 2f),
        "danish" to Look("da-w411dp-h891dp-port-notnight-mdpi"),
        "spanish" to Look("es-w411dp-h891dp-port-notnight-mdpi"),
        "spanish-large-small-phone" to Look("es-w320dp-h640dp-port-night-mdpi", fontScale = 2f),
        "land" to Look("en-w891dp-h411dp-land-notnight-mdpi"),
        "danish-land-large" to Look("da-w891dp-h411dp-land-night-mdpi", fontScale = 1.5f),
    )

    @Test
    fun everyScreenIsReadable() {
        val faults = mutableListOf<String>()
        for ((look, values) in looks) {
            values.set()
            for ((name, show) in Screens.all) {
                forgetSettings(RuntimeEnvironment.getApplication())
                Stage().use { stage ->
                    show(stage)
                    val picture = stage.draw()
                    picture.write("$name-$look")
                    assertTrue("$name in $look is one colour", countColours(picture) > 3)
                    faults += findFaults(stage.root).map { "$name in $look: $it" }
                }
            }
        }
        assertEquals("", faults.joinToString("\n"))
    }

    private fun countColours(picture: Bitmap): Int {
        val pixels = IntArray(picture.width * picture.height)
        picture.getPixels(pixels, 0, picture.width, 0, 0, picture.width, picture.height)
        return pixels.toSet().size
    }
}
