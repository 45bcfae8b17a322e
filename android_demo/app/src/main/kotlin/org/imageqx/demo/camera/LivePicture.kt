package org.imageqx.demo.camera

import android.app.Activity
import android.content.Context
import android.graphics.Matrix
import android.graphics.RectF
import android.graphics.SurfaceTexture
import android.hardware.display.DisplayManager
import android.media.Image
import android.view.Display
import android.view.Surface
import android.view.TextureView
import org.imageqx.demo.Session
import org.imageqx.demo.assess.FramePixels
import org.imageqx.demo.service
import org.imageqx.demo.state.Event
import org.imageqx.demo.state.Problem
import java.io.ByteArrayInputStream

/** Ties the camera to the view that shows its picture, and its frames and photos to the session. */
internal class LivePicture(private val activity: Activity, private val session: Session) {
    private var camera: Camera? = null
    private var view: TextureView? = null

    /** Opens the camera once [view] can show a picture; nothing happens if it is open there already. */
    fun open(view: TextureView) {
        if (this.view === view) return
        close()
        this.view = view
        view.surfaceTextureListener = Watcher()
        view.setOnClickListener { camera?.focus() }
        view.surfaceTexture?.takeIf { view.isAvailable }?.let { start(it) }
    }

    /** Takes a photo; the session gets it. */
    fun shoot() {
        val open = camera
        if (open == null) session.send(Event.Failed(Problem.CAMERA)) else open.shoot()
    }

    /** Frees the camera. */
    fun close() {
        camera?.close()
        camera = null
        view?.surfaceTextureListener = null
        view = null
    }

    private fun start(texture: SurfaceTexture) {
        val made = Camera(activity, Listener(activity, session))
        camera = made
        made.open(texture, readTurn(activity))
        view?.let { place(it, made) }
    }

    /** Fills the view with the live picture, upright and in its own proportions. */
    private fun place(view: TextureView, camera: Camera) {
        val size = camera.previewSize ?: return
        val turn = readTurn(activity)
        val area = RectF(0f, 0f, view.width.toFloat(), view.height.toFloat())
        val (across, down) = if (turn % 180 == 0) size.height to size.width else size.width to size.height
        val scale = maxOf(area.width() / across, area.height() / down)
        val picture = RectF(0f, 0f, across * scale, down * scale)
        picture.offset(area.centerX() - picture.centerX(), area.centerY() - picture.centerY())
        val matrix = Matrix()
        if (turn % 180 == 0) {
            matrix.setRectToRect(area, picture, Matrix.ScaleToFit.FILL)
        } else { // TextureView has turned it for the natural position; its sides are the other way round before our turn
            val lying = RectF(0f, 0f, picture.height(), picture.width())
            lying.offset(area.centerX() - lying.centerX(), area.centerY() - lying.centerY())
            matrix.setRectToRect(area, lying, Matrix.ScaleToFit.FILL)
        }
        matrix.postRotate(-turn.toFloat(), area.centerX(), area.centerY())
        view.setTransform(matrix)
    }

    private inner class Watcher : TextureView.SurfaceTextureListener {
        override fun onSurfaceTextureAvailable(texture: SurfaceTexture, width: Int, height: Int) = start(texture)

        override fun onSurfaceTextureSizeChanged(texture: SurfaceTexture, width: Int, height: Int) {
            val shown = view ?: return
            camera?.let { place(shown, it) }
        }

        override fun onSurfaceTextureDestroyed(texture: SurfaceTexture): Boolean = true

        override fun onSurfaceTextureUpdated(texture: SurfaceTexture) = Unit
    }
}

/** How the screen is turned from its natural position, in degrees. */
private fun readTurn(context: Context): Int {
    val display = context.service<DisplayManager>().getDisplay(Display.DEFAULT_DISPLAY)
    return when (display?.rotation) {
        Surface.ROTATION_90 -> 90
        Surface.ROTATION_180 -> 180
        Surface.ROTATION_270 -> 270
        else -> 0
    }
}

/** Passes on what the camera gives, from the camera's thread. */
private class Listener(private val activity: Activity, private val session: Session) : CameraListener {
    override fun onFrame(image: Image, rotation: Int) {
        if (!session.wantsFrame()) return
        session.frame(convert(image, rotation))
    }

    override fun onPhoto(jpeg: ByteArray) = activity.runOnUiThread { session.take { ByteArrayInputStream(jpeg) } }

    override fun onLost() = activity.runOnUiThread { session.send(Event.Failed(Problem.CAMERA)) }

    private fun convert(image: Image, rotation: Int): FramePixels? = try {
        val (y, u, v) = image.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
        val pixels = IntArray(image.width * image.height)
        convertFrame(y, u, v, image.width, image.height, rotation, pixels)
        if (rotation % 180 == 0) FramePixels(pixels, image.width, image.height) else FramePixels(pixels, image.height, image.width)
    } catch (_: IllegalStateException) { // the camera was closed while this ran
        null
    }
}
