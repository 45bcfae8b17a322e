package org.imageqx.demo.screens

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.LinearGradient
import android.graphics.Paint
import android.graphics.Shader
import java.io.ByteArrayOutputStream
import java.util.zip.CRC32

/** Drawn photos. */
internal object Photos {
    /** A spot on skin. */
    fun draw(width: Int = 600, height: Int = 800): Bitmap {
        val bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
        val canvas = Canvas(bitmap)
        val paint = Paint(Paint.ANTI_ALIAS_FLAG)
        val skin = intArrayOf(Color.rgb(226, 181, 152), Color.rgb(190, 136, 106))
        paint.shader = LinearGradient(0f, 0f, width.toFloat(), height.toFloat(), skin, null, Shader.TileMode.CLAMP)
        canvas.drawPaint(paint)
        paint.shader = null
        paint.color = Color.rgb(118, 66, 48)
        canvas.drawOval(width * .45f, height * .38f, width * .75f, height * .6f, paint)
        paint.color = Color.rgb(86, 44, 34)
        canvas.drawOval(width * .5f, height * .42f, width * .62f, height * .52f, paint)
        return bitmap
    }

    fun jpeg(width: Int = 600, height: Int = 800): ByteArray = encode(draw(width, height), Bitmap.CompressFormat.JPEG)

    fun encode(bitmap: Bitmap, format: Bitmap.CompressFormat): ByteArray =
        ByteArrayOutputStream().also { bitmap.compress(format, 90, it) }.toByteArray()

    /** The head of an iPhone's photo: no decoder of this Android knows it. */
    val heic: ByteArray = byteArrayOf(0, 0, 0, 24) + "ftypheic".toByteArray() + ByteArray(40)

    /** A PNG whose head claims a size: what a decompression bomb looks like before it is decoded. */
    fun claim(width: Int, height: Int): ByteArray {
        val png = encode(draw(4, 4), Bitmap.CompressFormat.PNG)
        for ((at, value) in listOf(16 to width, 20 to height)) {
            for (byte in 0..3) png[at + byte] = (value shr (24 - 8 * byte)).toByte()
        }
        val sum = CRC32().apply { update(png, 12, 17) }.value
        for (byte in 0..3) png[29 + byte] = (sum shr (24 - 8 * byte)).toByte()
        return png
    }
}
