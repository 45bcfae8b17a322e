package org.imageqx.demo.camera

import kotlin.math.abs

/** A picture's size as the sensor gives it, in pixels. */
internal data class PictureSize(val width: Int, val height: Int) {
    val pixels: Long
        get() = width.toLong() * height

    val ratio: Double
        get() = width / height.toDouble()
}

/** Which sizes a camera's three streams have. */
internal data class StreamSizes(val photo: PictureSize, val preview: PictureSize, val frame: PictureSize)

/**
 * Chooses the largest photo, and of its proportions a preview for the screen and a small frame to assess.
 *
 * What is assessed on the live picture is then what the photo will show. Cameras without such a size give the nearest.
 *
 * @return null where a list is empty: no camera to work with.
 */
internal fun chooseSizes(photos: List<PictureSize>, previews: List<PictureSize>, frames: List<PictureSize>): StreamSizes? {
    val photo = photos.maxByOrNull { it.pixels } ?: return null
    val preview = nearest(previews, photo.ratio, MOST_PREVIEW) ?: return null
    val frame = frames.filter { minOf(it.width, it.height) >= LEAST_FRAME_SIDE }.ifEmpty { frames }
        .minWithOrNull(compareBy({ offBy(it, photo.ratio) }, { it.pixels })) ?: return null
    return StreamSizes(photo, preview, frame)
}

private fun nearest(sizes: List<PictureSize>, ratio: Double, most: Long): PictureSize? =
    sizes.filter { it.pixels <= most }.ifEmpty { sizes }
        .minWithOrNull(compareBy({ offBy(it, ratio) }, { -it.pixels }))

/** How far the proportions are off, in steps of 2 %: sensors round their sizes to multiples of 16. */
private fun offBy(size: PictureSize, ratio: Double): Int = (abs(size.ratio / ratio - 1) / 0.02).toInt()

/**
 * How far a camera's picture must be turned clockwise to be upright.
 *
 * @param sensor how the sensor sits in the phone, in degrees.
 * @param display how the screen is turned from its natural position, in degrees.
 * @param front whether the camera looks at the person.
 */
internal fun rotationOf(sensor: Int, display: Int, front: Boolean): Int =
    (if (front) sensor + display else sensor - display + 360) % 360

private const val MOST_PREVIEW = 1920L * 1080

/** A frame needs more pixels than the model's input, else everything looks blurry to it. */
private const val LEAST_FRAME_SIDE = 448
