package org.imageqx.demo.screens

import android.Manifest
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.Bitmap
import android.os.Bundle
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import org.imageqx.demo.MainActivity
import org.imageqx.demo.R
import org.imageqx.demo.find
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

/** How the phone is set. */
internal class Look(private val qualifiers: String, private val fontScale: Float = 1f) {
    fun set() {
        RuntimeEnvironment.setQualifiers(qualifiers)
        RuntimeEnvironment.setFontScale(fontScale)
    }
}

/** The app on a phone that a test holds. */
internal class Stage(camera: Boolean = true, hasCamera: Boolean = true, state: Bundle? = null) : AutoCloseable {
    val app: TestApplication = RuntimeEnvironment.getApplication() as TestApplication
    val controller: ActivityController<MainActivity>

    init {
        shadowOf(app.packageManager).setSystemFeature(PackageManager.FEATURE_CAMERA_ANY, hasCamera)
        if (camera) {
            shadowOf(app).grantPermissions(Manifest.permission.CAMERA)
        } else {
            shadowOf(app).denyPermissions(Manifest.permission.CAMERA)
        }
        controller = Robolectric.buildActivity(MainActivity::class.java)
        if (state == null) controller.setup() else controller.setup(state)
        if (state == null) settle()
    }

    val activity: MainActivity
        get() = controller.get()

    val root: ViewGroup
        get() = activity.window.decorView.find(R.id.root)

    val session
        get() = activity.session

    /** What all texts on the screen say, one a line. */
    val text: String
        get() = root.all().filterIsInstance<android.widget.TextView>().joinToString("\n") { it.text }

    /** Lets the work beside the screen run, and the screen follow, until there is no more. */
    fun settle() {
        do {
            app.background.runAll()
            shadowOf(Looper.getMainLooper()).idle()
        } while (app.background.isBusy)
    }

    /** Presses the button that says [words]. */
    fun press(words: String) {
        root.all().filterIsInstance<Button>().first { it.text.toString() == words }.performClick()
        settle()
    }

    fun press(id: Int) {
        root.find<View>(id).performClick()
        settle()
    }

    /** Takes a photo into the app, as the camera or the gallery does; it is not checked yet. */
    fun take(photo: ByteArray = Photos.jpeg()) {
        session.take { photo.inputStream() }
        app.background.runOne()
        shadowOf(Looper.getMainLooper()).idle()
    }

    /** Answers a question for the camera. */
    fun answer(code: Int, result: Int) {
        activity.onRequestPermissionsResult(code, arrayOf(Manifest.permission.CAMERA), intArrayOf(result))
        settle()
    }

    /** Presses the back key. */
    fun back() {
        @Suppress("DEPRECATION")
        activity.onBackPressed()
    }

    /** The screen of another app that this one asked for, once. */
    fun nextIntent(): Intent? = shadowOf(activity).nextStartedActivity

    fun draw(): Bitmap {
        shadowOf(Looper.getMainLooper()).idle()
        return draw(activity)
    }

    override fun close() {
        controller.pause().stop().destroy()
        settle()
    }
}
