package org.imageqx.demo.screens

import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.media.Image
import android.util.Size
import org.imageqx.demo.camera.Camera
import org.imageqx.demo.camera.CameraListener
import org.imageqx.demo.camera.PictureSize
import org.imageqx.demo.service
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowCameraCharacteristics
import org.robolectric.shadows.StreamConfigurationMapBuilder
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApplication::class)
internal class CameraTest {
    private val manager = RuntimeEnvironment.getApplication().service<CameraManager>()
    private val lost = CountDownLatch(1)
    private val camera = Camera(
        RuntimeEnvironment.getApplication(),
        object : CameraListener {
            override fun onFrame(image: Image, rotation: Int) = Unit

            override fun onPhoto(jpeg: ByteArray) = Unit

            override fun onLost() = lost.countDown()
        },
    )

    private fun addCamera() {
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

    private fun isLost() = lost.await(5, TimeUnit.SECONDS)

    @Test
    fun aPhoneWithoutACameraIsTold() {
        camera.open(SurfaceTexture(0), 0)
        assertTrue(isLost())
    }

    @Test
    fun aCameraThatAnotherAppTakesIsTold() {
        addCamera()
        camera.open(SurfaceTexture(0), 0)
        assertEquals(PictureSize(1440, 1080), camera.previewSize)
        assertFalse("lost at once", lost.await(200, TimeUnit.MILLISECONDS))
        shadowOf(manager).triggerDisconnect()
        assertTrue(isLost())
    }

    @Test
    fun aClosedCameraSaysNothing() {
        addCamera()
        camera.open(SurfaceTexture(0), 0)
        camera.close()
        shadowOf(manager).triggerDisconnect()
        assertFalse(lost.await(300, TimeUnit.MILLISECONDS))
    }

    private companion object {
        /** What JPEG is to a camera: HAL_PIXEL_FORMAT_BLOB. */
        const val BLOB = 0x21
    }
}
