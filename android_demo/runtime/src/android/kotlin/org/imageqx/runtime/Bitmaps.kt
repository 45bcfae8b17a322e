package org.imageqx.runtime

import android.content.Context
import android.graphics.Bitmap
import org.imageqx.core.ImageQXException
import org.imageqx.core.picture.Margins
import org.imageqx.core.picture.Orientation
import org.imageqx.core.picture.Picture

/**
 * Opens a model out of an app's assets, held to its digest, on the phone's processor.
 *
 * @param file the model's name in the manifest, such as `"imageqx_fp32.tflite"`.
 * @param folder where the assets have it, with `manifest.json` beside it.
 * @throws ImageQXException it is missing, damaged, another one than the manifest names, or not for photos.
 */
public fun openAssessor(context: Context, file: String, folder: String = "imageqx"): PhotoAssessor =
    PhotoAssessor(openModel(AssetSource(context.assets, folder), TfliteRuntime(), file).model)

/**
 * Assesses a bitmap.
 *
 * @param orientation what still brings it upright: BitmapFactory does not turn a photo as its EXIF says.
 * @throws IllegalStateException the bitmap is on the GPU alone, [Bitmap.Config.HARDWARE].
 */
public fun PhotoAssessor.assess(
    bitmap: Bitmap,
    orientation: Orientation = Orientation.UPRIGHT,
    margins: Margins = Margins(),
): PhotoAssessment = assess(BitmapPicture(bitmap), orientation, margins)

/**
 * A bitmap, read row by row, in sRGB whatever its own colour space.
 *
 * Where a photo has alpha, decode it with `isUnpremultipliedRequired`: a bitmap that is multiplied has lost colours.
 */
public class BitmapPicture(private val bitmap: Bitmap) : Picture {
    override val width: Int = bitmap.width
    override val height: Int = bitmap.height
    override val isOpaque: Boolean = !bitmap.hasAlpha()

    override fun readRow(y: Int, into: IntArray): Unit = bitmap.getPixels(into, 0, width, 0, y, width, 1)
}
