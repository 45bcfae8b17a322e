package org.imageqx.demo.screens

import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraManager
import android.media.Image
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

    private fun isLost() = lost.await(5, TimeUnit.SECONDS)

    @Test
    fun aPhoneWithoutACameraIsTold() {
        camera.open(SurfaceTexture(0), 0)
        assertTrue(isLost())
    }

    @Test
    fun aCameraThatAnotherAppTakesIsTold() {
        addCamera(manager)
        camera.open(SurfaceTexture(0), 0)
        assertEquals(PictureSize(1440, 1080), camera.previewSize)
        assertFalse("lost at once", lost.await(200, TimeUnit.MILLISECONDS))
        shadowOf(manager).triggerDisconnect()
        assertTrue(isLost())
    }

    @Test
    fun aClosedCameraSaysNothing() {
        addCamera(manager)
        camera.open(SurfaceTexture(0), 0)
        camera.close()
        shadowOf(manager).triggerDisconnect()
        assertFalse(lost.await(300, TimeUnit.MILLISECONDS))
    }
}
