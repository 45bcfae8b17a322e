package org.imageqx.demo

import android.Manifest
import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.provider.MediaStore
import android.provider.Settings
import android.window.OnBackInvokedCallback
import android.window.OnBackInvokedDispatcher
import org.imageqx.demo.bench.RunProvider
import org.imageqx.demo.camera.LivePicture
import org.imageqx.demo.photo.PhotoLook
import org.imageqx.demo.state.CameraAccess
import org.imageqx.demo.state.Effect
import org.imageqx.demo.state.Event
import org.imageqx.demo.state.Problem
import org.imageqx.demo.state.Saved
import org.imageqx.demo.state.Screen
import org.imageqx.demo.state.State
import org.imageqx.demo.state.restore
import org.imageqx.demo.state.save
import org.imageqx.demo.view.Binder
import org.imageqx.demo.view.SpeedPlan
import org.imageqx.demo.view.present
import java.io.File

/** The one activity: it shows the session's state, and does what needs a screen. */
internal class MainActivity : Activity(), Host {
    internal lateinit var session: Session
        private set
    private lateinit var binder: Binder
    private lateinit var live: LivePicture
    private lateinit var plan: SpeedPlan
    private val look = PhotoLook()
    private var started = false
    private var back: Any? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val source = application as ToolsSource
        plan = source.schedule.run { SpeedPlan(processes, runs, seconds.toInt()) }
        setContentView(R.layout.main)
        @Suppress("DEPRECATION") // androidx's ViewModel would be another library
        val kept = lastNonConfigurationInstance as Session?
        session = kept ?: begin(source, savedInstanceState)
        binder = Binder(window.decorView.find(R.id.root), session::send)
        live = LivePicture(this, session)
        session.host = this
    }

    override fun onStart() {
        super.onStart()
        started = true
        session.start(readAccess())
        followCamera(session.state)
    }

    override fun onStop() {
        started = false
        live.close()
        super.onStop()
    }

    override fun onDestroy() {
        live.close()
        if (isChangingConfigurations) session.host = null else session.close(keepPhoto = !isFinishing)
        super.onDestroy()
    }

    @Deprecated("Framework's own way to keep an object over a rotation")
    override fun onRetainNonConfigurationInstance(): Any = session

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        val saved = save(session.state)
        outState.putString(PHOTO, saved.photo)
        outState.putInt(RETAKES, saved.retakes)
    }

    override fun show(state: State) {
        binder.show(present(state, plan)) { look.draw(state.screen as Screen.Result) }
        followCamera(state)
        followBack(state)
    }

    override fun perform(effect: Effect) {
        when (effect) {
            Effect.AskForCamera -> requestPermissions(arrayOf(Manifest.permission.CAMERA), ASK_CAMERA)
            Effect.OpenSettings -> go(
                Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, Uri.fromParts("package", packageName, null)),
            )
            Effect.OpenGallery -> openGallery()
            Effect.Shoot -> live.shoot()
            Effect.ShareRun -> shareRun()
            Effect.Leave -> finish()
            else -> error("$effect is the session's")
        }
    }

    override fun onRequestPermissionsResult(code: Int, permissions: Array<String>, results: IntArray) {
        if (code != ASK_CAMERA || results.isEmpty()) return // empty: the phone was turned while the question stood there
        val access = when {
            results[0] == PackageManager.PERMISSION_GRANTED -> CameraAccess.ALLOWED
            shouldShowRequestPermissionRationale(Manifest.permission.CAMERA) -> CameraAccess.REFUSED
            else -> CameraAccess.REFUSED_FOR_GOOD
        }
        session.send(Event.CameraAnswered(access))
    }

    @Deprecated("Framework's own way to get an answer")
    override fun onActivityResult(code: Int, result: Int, data: Intent?) {
        val uri = data?.data
        if (code == PICK && result == RESULT_OK && uri != null) session.take { contentResolver.openInputStream(uri) }
    }

    @Deprecated("Before API 33 there is no other way")
    override fun onBackPressed() = session.send(Event.BackPressed)

    private fun begin(source: ToolsSource, saved: Bundle?): Session {
        val tools = source.makeTools()
        if (saved == null) {
            tools.background.execute { tools.store.clear() } // what a process left that was ended
            return Session(tools)
        }
        val step = restore(Saved(saved.getString(PHOTO), saved.getInt(RETAKES))) { File(it).isFile }
        return Session(tools, step.state).also { step.effects.forEach(it::perform) }
    }

    private fun readAccess(): CameraAccess? = when {
        !packageManager.hasSystemFeature(PackageManager.FEATURE_CAMERA_ANY) -> CameraAccess.NONE
        checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED -> CameraAccess.ALLOWED
        else -> null
    }

    /** Holds the camera exactly while its picture is on the screen. */
    private fun followCamera(state: State) {
        val wanted = started && state.screen is Screen.Camera && state.camera == CameraAccess.ALLOWED
        val preview = binder.preview
        if (wanted && preview != null) live.open(preview) else live.close()
    }

    /** From API 33 on, Android shows where the back gesture leads; on the first screen that is its own business. */
    private fun followBack(state: State) {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.TIRAMISU) return
        val first = state.screen is Screen.Camera
        val registered = back as OnBackInvokedCallback?
        if (first && registered != null) {
            onBackInvokedDispatcher.unregisterOnBackInvokedCallback(registered)
            back = null
        } else if (!first && registered == null) {
            val callback = OnBackInvokedCallback { session.send(Event.BackPressed) }
            onBackInvokedDispatcher.registerOnBackInvokedCallback(OnBackInvokedDispatcher.PRIORITY_DEFAULT, callback)
            back = callback
        }
    }

    private fun openGallery() {
        val picker = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
            Intent(MediaStore.ACTION_PICK_IMAGES).setType("image/*")
        } else {
            Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*")
        }
        try {
            startActivityForResult(picker, PICK)
        } catch (_: ActivityNotFoundException) {
            session.send(Event.Failed(Problem.PHOTO_UNSUPPORTED))
        }
    }

    private fun shareRun() {
        val uri = RunProvider.uriOf(this)
        val send = Intent(Intent.ACTION_SEND).setType(RunProvider.TYPE).putExtra(Intent.EXTRA_STREAM, uri)
            .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
        send.clipData = android.content.ClipData.newRawUri(null, uri) // carries the permission through the chooser
        go(Intent.createChooser(send, getString(R.string.speed_share)))
    }

    private fun go(intent: Intent) {
        try {
            startActivity(intent)
        } catch (_: ActivityNotFoundException) { // nothing here can do it: the screen stays as it is
        }
    }

    private companion object {
        const val ASK_CAMERA = 1
        const val PICK = 2
        const val PHOTO = "photo"
        const val RETAKES = "retakes"
    }
}
