package org.imageqx.demo.screens

import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraManager
import android.view.TextureView
import org.imageqx.core.model.readManifest
import org.imageqx.demo.R
import org.imageqx.demo.find
import org.imageqx.demo.photo.PhotoDecoder
import org.imageqx.demo.service
import org.imageqx.demo.state.Screen
import org.imageqx.runtime.ArtifactFolder
import org.imageqx.runtime.readManifest
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.File

/** Bad input from its bytes to the words on the screen: README's table, where a test of a smaller part does not do. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApplication::class, qualifiers = "en-w411dp-h891dp-port-notnight-mdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
internal class BadInputTest {
    private fun text(id: Int) = RuntimeEnvironment.getApplication().getString(id)

    private val photos = File(checkNotNull(System.getProperty("imageqx.photos")))

    private fun check(stage: Stage, photo: ByteArray): String {
        stage.take(photo)
        stage.settle()
        return stage.text
    }

    @Test
    fun aPhotoThatCannotBeAssessedSaysWhy() {
        val whole = Photos.jpeg()
        val bad = mapOf(
            "empty" to ByteArray(0) to R.string.trouble_photo_unreadable,
            "no photo" to "no photo at all".toByteArray() to R.string.trouble_photo_unreadable,
            "truncated" to whole.copyOf(whole.size / 2) to R.string.trouble_photo_truncated,
            "huge" to Photos.claim(20_000, 20_000) to R.string.trouble_photo_too_large,
            "HEIC" to Photos.heic to R.string.trouble_photo_unsupported,
        )
        for (api in listOf(26, 35)) {
            for ((photo, message) in bad) {
                Stage().use { stage ->
                    stage.app.assessor.decoder = PhotoDecoder(api)
                    val shown = check(stage, photo.second)
                    assertTrue("${photo.first}, api $api: $shown", shown.contains(text(message)))
                    stage.press(text(R.string.again))
                    assertTrue(check(stage, whole).contains(text(R.string.result_good)))
                }
            }
        }
    }

    @Test
    fun anOddPhotoIsAssessed() {
        val odd = listOf("dot_1x1.png", "column_1x300.png", "grey_200x300.jpg") + (1..8).map { "orientation_$it.jpg" }
        for (api in listOf(26, 35)) {
            for (name in odd) {
                Stage().use { stage ->
                    stage.app.assessor.decoder = PhotoDecoder(api)
                    val shown = check(stage, File(photos, name).readBytes())
                    assertTrue("$name, api $api: $shown", shown.contains(text(R.string.result_good)))
                }
            }
        }
    }

    @Test
    fun aModelThatCannotBeOpenedSaysWhyAndIsTriedAgain() {
        val empty = kotlin.io.path.createTempDirectory().toFile()
        val bad = mapOf<() -> Unit, Int>(
            { ArtifactFolder(empty).readManifest(); Unit } to R.string.trouble_model_missing,
            { readManifest("{\"schema_version\": 1, \"mod", "manifest.json"); Unit } to R.string.trouble_model_damaged,
            { readManifest("{\"schema_version\": 99}", "manifest.json"); Unit } to R.string.trouble_model_newer,
        )
        for ((open, message) in bad) {
            Stage().use { stage ->
                stage.app.onOpen = open
                val shown = check(stage, Photos.jpeg())
                assertTrue(shown, shown.contains(text(message)))
                stage.press(text(R.string.again))
                stage.app.onOpen = {}
                assertTrue(check(stage, Photos.jpeg()).contains(text(R.string.result_good)))
            }
        }
    }

    @Test
    fun aCameraThatAnotherAppTakesIsTold() {
        Stage().use { stage ->
            val manager = stage.app.service<CameraManager>()
            addCamera(manager)
            val watcher = checkNotNull(stage.root.find<TextureView>(R.id.preview).surfaceTextureListener)
            watcher.onSurfaceTextureAvailable(SurfaceTexture(0), 411, 891)
            shadowOf(manager).triggerDisconnect()
            val end = System.nanoTime() + 5_000_000_000L
            while (stage.session.state.screen !is Screen.Trouble && System.nanoTime() < end) {
                Thread.sleep(10)
                stage.settle()
            }
            assertTrue(stage.text, stage.text.contains(text(R.string.trouble_camera)))
        }
    }

    @Test
    fun aShutterWithoutACameraIsTold() {
        Stage().use { stage ->
            stage.press(R.id.shutter)
            assertTrue(stage.text, stage.text.contains(text(R.string.trouble_camera)))
        }
    }
}
