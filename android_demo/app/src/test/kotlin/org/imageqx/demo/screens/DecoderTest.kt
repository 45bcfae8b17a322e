package org.imageqx.demo.screens

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.imageqx.core.PhotoTooLarge
import org.imageqx.core.PhotoTruncated
import org.imageqx.core.PhotoUnreadable
import org.imageqx.core.model.Preprocessing
import org.imageqx.core.picture.Stretcher
import org.imageqx.demo.photo.PhotoDecoder
import org.imageqx.demo.photo.PhotoUnsupportedException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.File
import kotlin.math.abs

/** Android's own decoders and this app's way of asking them, held to `load_pixels`. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApplication::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
internal class DecoderTest {
    private val folder = File(checkNotNull(System.getProperty("imageqx.photos")))
    private val index = Json.parseToJsonElement(File(folder, "photos.json").readText()).jsonObject
    private val size = index.getValue("preprocessing").jsonObject
        .let { Preprocessing(it.getValue("width").jsonPrimitive.int, it.getValue("height").jsonPrimitive.int) }
    private val photos = index.getValue("photos").jsonArray.map { it.jsonObject }
    private val side = 3 * size.height / 2

    private fun JsonObject.text(name: String) = getValue(name).jsonPrimitive.content

    private fun JsonObject.needs(what: String) = getValue("needs").jsonArray.any { it.jsonPrimitive.content == what }

    private fun stretch(decoder: PhotoDecoder, bytes: ByteArray, side: Int = this.side): ByteArray {
        val decoded = decoder.decode(bytes, side)
        return Stretcher(size).stretch(decoded.picture, decoded.orientation, decoded.margins).bytes
    }

    /** The bytes that differ, and by how much at most. */
    private fun compare(wanted: ByteArray, got: ByteArray): Pair<Int, Int> {
        val off = wanted.indices.map { abs((wanted[it].toInt() and 0xFF) - (got[it].toInt() and 0xFF)) }
        return off.count { it > 0 } to off.max()
    }

    private fun check(decoder: PhotoDecoder): List<String> = photos.mapNotNull { photo ->
        val name = photo.text("photo")
        val wanted = File(folder, photo.text("pixels")).readBytes()
        val (count, most) = compare(wanted, stretch(decoder, File(folder, name).readBytes()))
        println("$name: $count of ${wanted.size} bytes differ, by $most at most")
        val allowed = if (photo.needs("icc")) ICC_MOST else 0
        if (most <= allowed) null else "$name: $count bytes differ, by $most at most"
    }

    @Test
    fun imageDecoderGivesPythonsPixels() = assertEquals(emptyList<String>(), check(PhotoDecoder(api = 35)))

    @Test
    fun bitmapFactoryGivesPythonsPixels() = assertEquals(emptyList<String>(), check(PhotoDecoder(api = 26)))

    @Test
    fun aPhotoDecodedAtAnotherScaleDiffers() {
        val photo = photos.first { it.text("photo") == "odd.jpg" }
        val wanted = File(folder, photo.text("pixels")).readBytes()
        val bytes = File(folder, "odd.jpg").readBytes()
        for (api in listOf(26, 35)) {
            assertNotEquals("api $api", 0, compare(wanted, stretch(PhotoDecoder(api), bytes, side = 10_000)).first)
        }
    }

    @Test
    fun photosForTheScreenAreUpright() {
        for (api in listOf(26, 35)) {
            val wanted = PhotoDecoder(api).decodeForScreen(File(folder, "orientation_1.jpg").readBytes(), 4000)
            for (orientation in 2..8) {
                val bytes = File(folder, "orientation_$orientation.jpg").readBytes()
                val stored = BitmapFactory.decodeByteArray(bytes, 0, bytes.size)
                val shown = PhotoDecoder(api).decodeForScreen(bytes, 4000)
                val swapped = orientation > 4
                assertEquals("api $api", if (swapped) stored.height else stored.width, shown.width)
                assertEquals(
                    "api $api, orientation $orientation",
                    corners(PhotoDecoder(35).decodeForScreen(bytes, 4000)),
                    corners(shown),
                )
            }
            assertTrue(wanted.width > wanted.height)
        }
    }

    /** The colours near the four corners, in steps that JPEG's losses do not change. */
    private fun corners(bitmap: Bitmap): List<Int> = listOf(3 to 3, bitmap.width - 4 to 3, 3 to bitmap.height - 4)
        .map { (x, y) -> bitmap.getPixel(x, y) }

    @Test
    fun aLargePhotoIsShownSmall() {
        val shown = PhotoDecoder().decodeForScreen(File(folder, "eighth.jpg").readBytes(), 480)
        assertEquals(listOf(675, 900), listOf(shown.width, shown.height))
    }

    @Test
    fun aPartOfAPhotoIsRefused() {
        for (name in listOf("odd.jpg", "progressive.jpg", "tall_336x500.png", "lossy.webp")) {
            val bytes = File(folder, name).readBytes()
            for (api in listOf(26, 35)) {
                for (share in listOf(0.3, 0.6, 0.99)) {
                    val part = bytes.copyOf((bytes.size * share).toInt())
                    assertThrows("$name, $share, api $api", PhotoTruncated::class.java) { PhotoDecoder(api).decode(part, side) }
                }
            }
        }
    }

    /** Why [org.imageqx.demo.photo.isComplete] is there: without it, half a picture would be assessed. */
    @Test
    fun bitmapFactoryItselfSaysNothingOfAPart() {
        val bytes = File(folder, "odd.jpg").readBytes().let { it.copyOf(it.size / 2) }
        assertEquals(1003, BitmapFactory.decodeByteArray(bytes, 0, bytes.size)?.width)
    }

    @Test
    fun whatIsNoPhotoIsRefused() {
        for (api in listOf(26, 35)) {
            val decoder = PhotoDecoder(api)
            assertThrows(PhotoUnreadable::class.java) { decoder.decode(ByteArray(0), side) }
            assertThrows(PhotoUnreadable::class.java) { decoder.decode("no photo at all".toByteArray(), side) }
            assertThrows(PhotoUnsupportedException::class.java) { decoder.decode(Photos.heic, side) }
            assertThrows(PhotoTooLarge::class.java) { decoder.decode(Photos.claim(20_000, 20_000), side) }
        }
    }

    private companion object {
        /** Skia converts colour profiles itself, and LittleCMS rounds otherwise: by one level, where there is one. */
        const val ICC_MOST = 1
    }
}
