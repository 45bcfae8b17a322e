package org.imageqx.demo.camera

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.media.Image
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import android.view.Surface
import org.imageqx.demo.service

/** What a [Camera] gives; called on the camera's own thread. */
internal interface CameraListener {
    /** A small frame of the live picture; [rotation] turns it upright. The image is closed when this returns. */
    fun onFrame(image: Image, rotation: Int)

    /** The bytes of a full-size JPEG, whose EXIF says how to turn it. */
    fun onPhoto(jpeg: ByteArray)

    /** It stopped working, was taken by another app, or there is none. */
    fun onLost()
}

/** The phone's back camera: a live picture on the screen, small frames to assess, full-size photos. */
internal class Camera(context: Context, private val listener: CameraListener) {
    private val manager = context.service<CameraManager>()
    private val thread = HandlerThread("camera").apply { start() }
    private val handler = Handler(thread.looper)
    private var device: CameraDevice? = null
    private var streams: Streams? = null
    private var closed = false

    /** The live picture's size as the sensor gives it, once [open] has chosen it. */
    @Volatile
    var previewSize: PictureSize? = null
        private set

    /**
     * Starts the live picture on [texture].
     *
     * @param display how the screen is turned from its natural position, in degrees.
     */
    @SuppressLint("MissingPermission") // the state opens the camera only once it is allowed; Android may still refuse
    fun open(texture: SurfaceTexture, display: Int) {
        try {
            val id = findCamera() ?: return listener.onLost()
            val facts = manager.getCameraCharacteristics(id)
            val sizes = readSizes(facts) ?: return listener.onLost()
            previewSize = sizes.preview
            texture.setDefaultBufferSize(sizes.preview.width, sizes.preview.height)
            val front = facts[CameraCharacteristics.LENS_FACING] == CameraCharacteristics.LENS_FACING_FRONT
            val rotation = rotationOf(facts[CameraCharacteristics.SENSOR_ORIENTATION] ?: 90, display, front)
            val made = Streams(Surface(texture), sizes, rotation, listener, handler)
            streams = made
            manager.openCamera(id, Opened(made), handler)
        } catch (_: CameraAccessException) {
            listener.onLost()
        } catch (_: SecurityException) {
            listener.onLost()
        } catch (_: IllegalArgumentException) { // a camera that went away in between
            listener.onLost()
        }
    }

    /** Takes a photo; [CameraListener.onPhoto] gets it. */
    fun shoot() {
        handler.post { guard { streams?.shoot() } }
    }

    /** Focuses on the middle of the picture. */
    fun focus() {
        handler.post { guard { streams?.focus() } }
    }

    /** Frees the camera for other apps. It cannot be opened again. */
    fun close() {
        handler.post {
            closed = true
            device?.close()
            streams?.close()
            thread.quitSafely()
        }
    }

    private fun findCamera(): String? {
        val ids = manager.cameraIdList
        return ids.firstOrNull {
            manager.getCameraCharacteristics(it)[CameraCharacteristics.LENS_FACING] ==
                CameraCharacteristics.LENS_FACING_BACK
        } ?: ids.firstOrNull()
    }

    private fun readSizes(facts: CameraCharacteristics): StreamSizes? {
        val map = facts[CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP] ?: return null
        fun list(found: Array<android.util.Size>?) = found.orEmpty().map { PictureSize(it.width, it.height) }
        return chooseSizes(
            list(map.getOutputSizes(ImageFormat.JPEG)),
            list(map.getOutputSizes(SurfaceTexture::class.java)),
            list(map.getOutputSizes(ImageFormat.YUV_420_888)),
        )
    }

    private fun guard(action: () -> Unit) {
        try {
            action()
        } catch (_: CameraAccessException) {
            listener.onLost()
        } catch (_: IllegalStateException) { // the session was closed in between
            if (!closed) listener.onLost()
        }
    }

    private inner class Opened(private val streams: Streams) : CameraDevice.StateCallback() {
        override fun onOpened(camera: CameraDevice) {
            device = camera
            if (closed) return camera.close()
            guard { start(camera) }
        }

        override fun onDisconnected(camera: CameraDevice) = lose(camera)

        override fun onError(camera: CameraDevice, error: Int) = lose(camera)

        private fun lose(camera: CameraDevice) {
            camera.close()
            if (!closed) listener.onLost()
        }

        @Suppress("DEPRECATION") // its successor is of API 28
        private fun start(camera: CameraDevice) = camera.createCaptureSession(
            streams.surfaces,
            object : CameraCaptureSession.StateCallback() {
                override fun onConfigured(session: CameraCaptureSession) = guard { streams.start(camera, session) }

                override fun onConfigureFailed(session: CameraCaptureSession) = listener.onLost()
            },
            handler,
        )
    }
}

/** The three streams of an open camera. */
private class Streams(
    private val preview: Surface,
    sizes: StreamSizes,
    private val rotation: Int,
    private val listener: CameraListener,
    private val handler: Handler,
) {
    private val frames = ImageReader.newInstance(sizes.frame.width, sizes.frame.height, ImageFormat.YUV_420_888, 2)
    private val photos = ImageReader.newInstance(sizes.photo.width, sizes.photo.height, ImageFormat.JPEG, 1)
    private var camera: CameraDevice? = null
    private var session: CameraCaptureSession? = null

    val surfaces: List<Surface> = listOf(preview, frames.surface, photos.surface)

    init {
        frames.setOnImageAvailableListener(
            { reader -> reader.acquireLatestImage()?.use { listener.onFrame(it, rotation) } },
            handler,
        )
        photos.setOnImageAvailableListener(
            { reader -> reader.acquireNextImage()?.use { listener.onPhoto(readBytes(it)) } },
            handler,
        )
    }

    fun start(camera: CameraDevice, session: CameraCaptureSession) {
        this.camera = camera
        this.session = session
        session.setRepeatingRequest(makeLive(camera).build(), null, handler)
    }

    fun shoot() {
        val open = camera ?: return
        val request = open.createCaptureRequest(CameraDevice.TEMPLATE_STILL_CAPTURE).apply {
            addTarget(photos.surface)
            set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
            set(CaptureRequest.JPEG_ORIENTATION, rotation)
            set(CaptureRequest.JPEG_QUALITY, QUALITY)
        }
        session?.capture(request.build(), Failed(), handler)
    }

    fun focus() {
        val open = camera ?: return
        val request = makeLive(open).apply {
            set(CaptureRequest.CONTROL_AF_TRIGGER, CaptureRequest.CONTROL_AF_TRIGGER_START)
        }
        session?.capture(request.build(), null, handler)
    }

    fun close() {
        frames.close()
        photos.close()
        preview.release()
    }

    private fun makeLive(camera: CameraDevice): CaptureRequest.Builder =
        camera.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW).apply {
            addTarget(preview)
            addTarget(frames.surface)
            set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
        }

    private fun readBytes(image: Image): ByteArray {
        val buffer = image.planes[0].buffer
        return ByteArray(buffer.remaining()).also(buffer::get)
    }

    private inner class Failed : CameraCaptureSession.CaptureCallback() {
        override fun onCaptureFailed(
            session: CameraCaptureSession,
            request: CaptureRequest,
            failure: android.hardware.camera2.CaptureFailure,
        ) = listener.onLost()
    }

    private companion object {
        const val QUALITY: Byte = 95
    }
}
