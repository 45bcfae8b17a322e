package org.imageqx.demo.camera

import java.nio.ByteBuffer

/** One plane of a YUV 4:2:0 image: its bytes, and how many lie between rows and between pixels. */
internal class Plane(private val bytes: ByteBuffer, private val rowStride: Int, private val pixelStride: Int) {
    fun read(row: Int, column: Int): Int = bytes.get(row * rowStride + column * pixelStride).toInt() and 0xFF
}

/**
 * Turns a camera's frame into opaque sRGB pixels `0xFFRRGGBB`, turned clockwise by [rotation] degrees so that it is
 * upright. Cameras give full-range BT.601, as JPEG does.
 *
 * @param width of the frame as the sensor gives it.
 * @param rotation 0, 90, 180 or 270.
 * @param out receives [width] · [height] pixels, row by row of the turned picture.
 */
internal fun convertFrame(y: Plane, u: Plane, v: Plane, width: Int, height: Int, rotation: Int, out: IntArray) {
    require(rotation in intArrayOf(0, 90, 180, 270)) { "rotation must be 0, 90, 180 or 270, got $rotation" }
    require(out.size >= width * height) { "room for ${out.size} pixels, $width × $height come" }
    val swapped = rotation % 180 != 0
    val outWidth = if (swapped) height else width
    for (row in 0 until height) {
        for (column in 0 until width) {
            val luma = y.read(row, column)
            val blue = u.read(row / 2, column / 2) - 128
            val red = v.read(row / 2, column / 2) - 128
            val target = when (rotation) {
                0 -> row * outWidth + column
                90 -> column * outWidth + (height - 1 - row)
                180 -> (height - 1 - row) * outWidth + (width - 1 - column)
                else -> (width - 1 - column) * outWidth + row
            }
            out[target] = convertPixel(luma, blue, red)
        }
    }
}

/** ITU-R BT.601 in full range, as JFIF 1.02 has it, with 16 binary digits after the point. */
private fun convertPixel(luma: Int, blue: Int, red: Int): Int {
    val base = (luma shl 16) + HALF
    val r = clip((base + 91881 * red) shr 16)
    val g = clip((base - 22554 * blue - 46802 * red) shr 16)
    val b = clip((base + 116130 * blue) shr 16)
    return OPAQUE or (r shl 16) or (g shl 8) or b
}

private fun clip(value: Int): Int = if (value < 0) 0 else if (value > 255) 255 else value

private const val HALF = 1 shl 15
private const val OPAQUE = 0xFF shl 24
