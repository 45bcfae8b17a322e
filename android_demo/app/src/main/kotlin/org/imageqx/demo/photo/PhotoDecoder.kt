package org.imageqx.demo.photo

import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import android.graphics.ImageDecoder
import android.graphics.Matrix
import android.media.ExifInterface
import android.os.Build
import org.imageqx.core.PhotoTooLarge
import org.imageqx.core.PhotoTruncated
import org.imageqx.core.PhotoUnreadable
import org.imageqx.core.picture.Margins
import org.imageqx.core.picture.Orientation
import org.imageqx.core.picture.Picture
import org.imageqx.runtime.BitmapPicture
import java.io.ByteArrayInputStream
import java.io.IOException
import java.nio.ByteBuffer

/** A photo of a kind that other phones read, and this one does not: HEIC or AVIF. */
internal class PhotoUnsupportedException : Exception("this phone has no decoder for HEIC or AVIF")

/**
 * A decoded photo, for the model.
 *
 * @property orientation what still brings it upright.
 * @property margins what the photo does not cover of its edges.
 */
internal class Decoded(
    val bitmap: Bitmap,
    val orientation: Orientation = Orientation.UPRIGHT,
    val margins: Margins = Margins(),
) {
    /** The pixels, read row by row: a copy of a large photo would not fit beside it. */
    val picture: Picture = BitmapPicture(bitmap)
}

/**
 * Decodes photos with Android's own decoders: ImageDecoder from API 28 on, BitmapFactory before.
 *
 * Both turn colours into sRGB. ImageDecoder turns the photo upright; BitmapFactory does not, and gives the lower part of
 * a truncated photo in grey, without an error. All of them throw [org.imageqx.core.PhotoException],
 * [PhotoUnsupportedException] or OutOfMemoryError.
 *
 * @param api of the phone; a test asks for the older way.
 */
internal class PhotoDecoder(private val api: Int = Build.VERSION.SDK_INT) {
    /**
     * Decodes a photo for the model: a JPEG at the smallest scale whose sides keep [side] pixels, as preprocess.py does.
     *
     * At a scale, BitmapFactory gives what libjpeg gives; of a side that the scale does not divide, ImageDecoder decodes
     * all and resizes it, which moves the model's pixels.
     */
    fun decode(bytes: ByteArray, side: Int): Decoded {
        val head = readHead(bytes)
        val scale = chooseScale(head, bytes, side)
        if (scale == 1 && api >= Build.VERSION_CODES.P) return Decoded(decodeNew(bytes, 1, forModel = true))
        return Decoded(
            decodeOld(bytes, scale, forModel = true),
            readOrientation(bytes),
            Margins.ofReduced(head.width, head.height, scale),
        )
    }

    /** Decodes a photo for the screen: upright, its longer side of [side] to 2 · [side] pixels, or smaller if the photo is. */
    fun decodeForScreen(bytes: ByteArray, side: Int): Bitmap {
        val head = readHead(bytes)
        val longest = maxOf(head.width, head.height)
        val scale = generateSequence(1) { it * 2 }.first { longest / (it * 2) < side }
        if (api >= Build.VERSION_CODES.P) return decodeNew(bytes, scale, forModel = false)
        val bitmap = decodeOld(bytes, scale, forModel = false)
        val turn = readOrientation(bytes).toMatrix()
        return if (turn.isIdentity) bitmap else Bitmap.createBitmap(bitmap, 0, 0, bitmap.width, bitmap.height, turn, true)
    }

    private fun readHead(bytes: ByteArray): Head {
        val options = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(bytes, 0, bytes.size, options)
        val width = options.outWidth
        val height = options.outHeight
        if (width < 1 || height < 1) {
            if (isHeif(bytes)) throw PhotoUnsupportedException()
            throw PhotoUnreadable(WHERE, "${bytes.size} bytes that no decoder knows")
        }
        if (width.toLong() * height > MOST_PIXELS) throw PhotoTooLarge(WHERE, MOST_PIXELS, "$width × $height")
        if (!isComplete(bytes)) throw PhotoTruncated(WHERE, "${bytes.size} bytes without an end")
        return Head(width, height, options.outMimeType == "image/jpeg")
    }

    private fun chooseScale(head: Head, bytes: ByteArray, side: Int): Int {
        if (!head.isJpeg) return 1
        val asked = if (Jpeg(bytes).hasUnevenColour()) 2 * side else side
        return SCALES.firstOrNull { head.width / it >= asked && head.height / it >= asked } ?: 1
    }

    private fun decodeNew(bytes: ByteArray, scale: Int, forModel: Boolean): Bitmap = try {
        ImageDecoder.decodeBitmap(ImageDecoder.createSource(ByteBuffer.wrap(bytes))) { decoder, _, _ ->
            decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
            decoder.isUnpremultipliedRequired = forModel
            decoder.setTargetColorSpace(ColorSpace.get(ColorSpace.Named.SRGB))
            decoder.setTargetSampleSize(scale)
        }
    } catch (error: ImageDecoder.DecodeException) {
        if (error.error == ImageDecoder.DecodeException.SOURCE_INCOMPLETE) throw PhotoTruncated(WHERE, "$error", error)
        throw PhotoUnreadable(WHERE, "$error", error)
    } catch (error: IOException) {
        throw PhotoUnreadable(WHERE, "$error", error)
    }

    private fun decodeOld(bytes: ByteArray, scale: Int, forModel: Boolean): Bitmap {
        val options = BitmapFactory.Options().apply {
            inSampleSize = scale
            inPremultiplied = !forModel
            inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
        }
        return BitmapFactory.decodeByteArray(bytes, 0, bytes.size, options)
            ?: throw PhotoUnreadable(WHERE, "no picture from ${bytes.size} bytes")
    }

    private fun readOrientation(bytes: ByteArray): Orientation = try {
        Orientation.ofExif(ExifInterface(ByteArrayInputStream(bytes)).getAttributeInt(ExifInterface.TAG_ORIENTATION, 1))
    } catch (_: IOException) { // a kind of file that has no EXIF
        Orientation.UPRIGHT
    }

    /** The head of a photo's file: its size as stored. */
    private class Head(val width: Int, val height: Int, val isJpeg: Boolean)

    companion object {
        /** As preprocess.py's PIXEL_LIMIT: more is taken for a decompression bomb. */
        const val MOST_PIXELS = 200_000_000L

        /** The scales 1/n at which libjpeg decodes, the smallest pictures first. */
        private val SCALES = intArrayOf(8, 4, 2)
        private const val WHERE = "the photo"
    }
}

/** Whether a file says that it is HEIC or AVIF. */
private fun isHeif(bytes: ByteArray): Boolean {
    val head = String(bytes, 0, minOf(bytes.size, 32), Charsets.ISO_8859_1)
    return head.drop(4).startsWith("ftyp") && listOf("heic", "heix", "hevc", "mif1", "msf1", "avif", "avis").any { it in head }
}

private fun Orientation.toMatrix(): Matrix = when (this) {
    Orientation.UPRIGHT -> Matrix()
    Orientation.MIRRORED -> Matrix().apply { setScale(-1f, 1f) }
    Orientation.UPSIDE_DOWN -> Matrix().apply { setRotate(180f) }
    Orientation.UPSIDE_DOWN_MIRRORED -> Matrix().apply { setScale(1f, -1f) }
    Orientation.TRANSPOSED -> Matrix().apply { setRotate(90f).also { postScale(-1f, 1f) } }
    Orientation.TURNED_RIGHT -> Matrix().apply { setRotate(90f) }
    Orientation.TRANSVERSED -> Matrix().apply { setRotate(270f).also { postScale(-1f, 1f) } }
    Orientation.TURNED_LEFT -> Matrix().apply { setRotate(270f) }
}
