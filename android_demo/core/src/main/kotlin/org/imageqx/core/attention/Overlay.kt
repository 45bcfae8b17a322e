package org.imageqx.core.attention

import kotlin.math.pow

private const val STRENGTH = 0.7f

/**
 * Lays a map over a picture, in place: clear where it is 0, red to yellow where it is high.
 *
 * Two straight pieces of one hue path, which also reads in grey, for people who do not see red and green apart. The
 * same colours as `imageqx predict --overlay`.
 *
 * @param picture each pixel `0xAARRGGBB`, row by row, of the map's size; alpha stays.
 * @param heat values in [0, 1], of the picture's size; what is beyond is clipped.
 */
public fun blend(picture: IntArray, heat: Heat) {
    require(picture.size == heat.values.size) { "a map of the picture's size, ${picture.size}, got ${heat.values.size}" }
    for (i in picture.indices) {
        val level = heat.values[i].coerceIn(0f, 1f)
        if (level == 0f) continue
        val pixel = picture[i]
        val keep = 1 - STRENGTH * level
        val red = mix(pixel ushr 16 and 255, keep, 255f, level)
        val green = mix(pixel ushr 8 and 255, keep, 255 * level.toDouble().pow(1.5).toFloat(), level)
        val blue = mix(pixel and 255, keep, 40 * level, level)
        picture[i] = (pixel and (255 shl 24)) or (red shl 16) or (green shl 8) or blue
    }
}

private fun mix(channel: Int, keep: Float, color: Float, level: Float): Int =
    (channel * keep + color * STRENGTH * level).toInt()
