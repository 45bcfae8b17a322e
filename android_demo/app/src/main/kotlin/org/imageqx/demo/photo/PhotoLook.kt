package org.imageqx.demo.photo

import android.graphics.Bitmap
import org.imageqx.core.attention.Heat
import org.imageqx.core.attention.blend
import org.imageqx.core.PhotoException
import org.imageqx.demo.state.Screen
import java.io.File
import java.io.IOException

/** The picture of a result: the photo, and the chosen finding's map over it. Keeps the photo as long as it is the same. */
internal class PhotoLook(private val decoder: PhotoDecoder = PhotoDecoder(), private val side: Int = SIDE) {
    private var path: String? = null
    private var photo: Bitmap? = null

    /** Draws a result's picture; null where the photo cannot be shown, as the words are there without it. */
    fun draw(result: Screen.Result): Bitmap? {
        if (path != result.photo.path) {
            path = result.photo.path
            photo = read(result.photo.path)
        }
        val bare = photo ?: return null
        val map = result.assessment.findings.firstOrNull { it.name == result.chosen }?.map ?: return bare
        return try {
            cover(bare, map)
        } catch (_: OutOfMemoryError) {
            bare
        }
    }

    private fun cover(photo: Bitmap, map: Heat): Bitmap {
        val pixels = IntArray(photo.width * photo.height)
        photo.getPixels(pixels, 0, photo.width, 0, 0, photo.width, photo.height)
        blend(pixels, map.resize(photo.width, photo.height))
        return Bitmap.createBitmap(pixels, photo.width, photo.height, Bitmap.Config.ARGB_8888)
    }

    private fun read(path: String): Bitmap? = try {
        decoder.decodeForScreen(File(path).readBytes(), side)
    } catch (_: IOException) {
        null
    } catch (_: PhotoException) {
        null
    } catch (_: OutOfMemoryError) {
        null
    }

    private companion object {
        const val SIDE = 480
    }
}
