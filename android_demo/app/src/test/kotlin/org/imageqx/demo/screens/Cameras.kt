package org.imageqx.demo.screens

import android.graphics.ImageFormat
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.util.Size
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowCameraCharacteristics
import org.robolectric.shadows.StreamConfigurationMapBuilder

/** What JPEG is to a camera: HAL_PIXEL_FORMAT_BLOB. */
private const val BLOB = 0x21

/** Gives the phone a camera of 12 megapixels on its back. */
internal fun addCamera(manager: CameraManager) {
    val map = StreamConfigurationMapBuilder.newBuilder()
        .addOutputSize(BLOB, Size(4032, 3024))
        .addOutputSize(ImageFormat.YUV_420_888, Size(640, 480))
        .addOutputSize(ImageFormat.PRIVATE, Size(1440, 1080))
        .build()
    val facts = ShadowCameraCharacteristics.newCameraCharacteristics()
    shadowOf(facts).set(CameraCharacteristics.LENS_FACING, CameraCharacteristics.LENS_FACING_BACK)
    shadowOf(facts).set(CameraCharacteristics.SENSOR_ORIENTATION, 90)
    shadowOf(facts).set(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP, map)
    shadowOf(manager).addCamera("0", facts)
}
