package org.imageqx.demo.screens

import android.Manifest
import android.app.Activity
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Bundle
import android.provider.MediaStore
import android.provider.OpenableColumns
import android.provider.Settings
import org.imageqx.core.ModelDamaged
import org.imageqx.core.ModelFailed
import org.imageqx.core.ModelMissing
import org.imageqx.core.ModelSwapped
import org.imageqx.core.PhotoTooLarge
import org.imageqx.core.PhotoTruncated
import org.imageqx.core.PhotoUnreadable
import org.imageqx.core.UnknownSchemaVersion
import org.imageqx.demo.R
import org.imageqx.demo.bench.RunProvider
import org.imageqx.demo.photo.PhotoUnsupportedException
import org.imageqx.demo.state.CameraAccess
import org.imageqx.demo.state.Screen
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import java.io.ByteArrayInputStream
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException

/** The app as Android treats it: permissions, rotation, death, the back key, other apps. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApplication::class, qualifiers = "en-w411dp-h891dp-port-notnight-mdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
internal class LifeTest {
    private fun text(id: Int) = RuntimeEnvironment.getApplication().getString(id)

    private fun cached(stage: Stage) = File(stage.app.cacheDir, "photos").listFiles().orEmpty().toList()

    @Test
    fun asksForTheCameraAndTakesARefusal() {
        Stage(camera = false).use { stage ->
            val asked = shadowOf(stage.activity).lastRequestedPermission
            assertEquals(listOf(Manifest.permission.CAMERA), asked.requestedPermissions.toList())
            stage.answer(asked.requestCode, PackageManager.PERMISSION_DENIED)
            assertTrue(stage.text.contains(text(R.string.refused_title)))
            // Android has no rationale to show here: it will not ask again.
            stage.press(text(R.string.refused_settings))
            assertEquals(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, stage.nextIntent()?.action)
            stage.press(text(R.string.camera_gallery))
            assertEquals(MediaStore.ACTION_PICK_IMAGES, stage.nextIntent()?.action)
        }
    }

    @Test
    fun aPermissionGivenInTheSettingsShowsTheCamera() {
        Stage(camera = false).use { stage ->
            stage.answer(shadowOf(stage.activity).lastRequestedPermission.requestCode, PackageManager.PERMISSION_DENIED)
            shadowOf(stage.app).grantPermissions(Manifest.permission.CAMERA)
            stage.controller.pause().stop().restart().start().resume()
            assertEquals(CameraAccess.ALLOWED, stage.session.state.camera)
        }
    }

    @Test
    fun aPhoneWithoutACameraHasTheGallery() {
        val packages = shadowOf(RuntimeEnvironment.getApplication().packageManager)
        packages.setSystemFeature(PackageManager.FEATURE_CAMERA_ANY, false)
        Stage(camera = false, hasCamera = false).use { stage ->
            assertNull(shadowOf(stage.activity).lastRequestedPermission)
            assertTrue(stage.text.contains(text(R.string.none_title)))
        }
    }

    @Test
    fun aPhotoOfTheGalleryIsChecked() {
        Stage().use { stage ->
            stage.app.assessor.answer = Assessments.poor
            stage.press(R.id.gallery)
            val uri = Uri.parse("content://gallery/1")
            shadowOf(stage.app.contentResolver).registerInputStream(uri, ByteArrayInputStream(Photos.jpeg()))
            shadowOf(stage.activity).receiveResult(shadowOf(stage.activity).nextStartedActivity, Activity.RESULT_OK, Intent().setData(uri))
            stage.settle()
            assertTrue(stage.text, stage.text.contains(text(R.string.result_poor)))
            val first = stage.text.indexOf(text(R.string.reason_blurry))
            assertTrue("the worst first", first in 0 until stage.text.indexOf(text(R.string.reason_too_far_away)))
            assertTrue(stage.text.contains(text(R.string.hint_blurry)))
        }
    }

    @Test
    fun aRotationKeepsTheResultAndChecksNothingTwice() {
        Stage().use { stage ->
            stage.app.assessor.answer = Assessments.poor
            stage.take()
            stage.settle()
            val before = stage.session
            RuntimeEnvironment.setQualifiers("+land")
            stage.controller.configurationChange()
            assertSame(before, stage.session)
            assertTrue(stage.text.contains(text(R.string.result_poor)))
            assertEquals(1, stage.app.assessor.photos)
            assertFalse(stage.app.assessor.closed)
        }
    }

    @Test
    fun aRotationInMidAssessmentGetsItsAnswer() {
        Stage().use { stage ->
            stage.take()
            RuntimeEnvironment.setQualifiers("+land")
            stage.controller.configurationChange()
            assertTrue(stage.text.contains(text(R.string.assessing)))
            stage.settle()
            assertTrue(stage.text.contains(text(R.string.result_good)))
        }
    }

    @Test
    fun aDeadProcessChecksThePhotoAgain() {
        val saved = Bundle()
        Stage().apply {
            app.assessor.answer = Assessments.poor
            take()
            settle()
            controller.pause().saveInstanceState(saved).stop()
        }
        Stage(state = saved).use { stage ->
            assertTrue(stage.text.contains(text(R.string.assessing)))
            stage.settle()
            assertTrue(stage.text.contains(text(R.string.result_poor)))
        }
    }

    @Test
    fun aDeadProcessWhosePhotoIsGoneShowsTheCamera() {
        val saved = Bundle()
        Stage().apply {
            take()
            settle()
            controller.pause().saveInstanceState(saved).stop()
            cached(this).forEach { it.delete() }
        }
        Stage(state = saved).use { assertTrue(it.session.state.screen is Screen.Camera) }
    }

    @Test
    fun backInMidAssessmentDeletesThePhoto() {
        Stage().use { stage ->
            stage.take()
            assertEquals(1, cached(stage).size)
            stage.back()
            assertTrue(stage.session.state.screen is Screen.Camera)
            stage.settle()
            assertTrue(stage.session.state.screen is Screen.Camera)
            assertEquals(emptyList<File>(), cached(stage))
        }
    }

    @Test
    fun backOnTheCameraLeavesAndLeavesNothing() {
        val stage = Stage()
        stage.take()
        stage.settle()
        stage.back()
        stage.back()
        assertTrue(stage.activity.isFinishing)
        stage.close()
        assertEquals(emptyList<File>(), cached(stage))
        assertTrue(stage.app.assessor.closed)
    }

    @Test
    fun everyErrorHasItsMessage() {
        val errors = mapOf(
            PhotoUnreadable("x", "y") to R.string.trouble_photo_unreadable,
            PhotoTruncated("x", "y") to R.string.trouble_photo_truncated,
            PhotoTooLarge("x", 1, "y") to R.string.trouble_photo_too_large,
            PhotoUnsupportedException() to R.string.trouble_photo_unsupported,
            OutOfMemoryError() to R.string.trouble_memory,
            IOException("write failed: ENOSPC (No space left on device)") to R.string.trouble_storage,
            ModelMissing("x") to R.string.trouble_model_missing,
            ModelDamaged("x", "y") to R.string.trouble_model_damaged,
            ModelSwapped("x", "y", "z") to R.string.trouble_model_damaged,
            UnknownSchemaVersion("x", listOf(1, 2), "3") to R.string.trouble_model_newer,
            ModelFailed("x", "y") to R.string.trouble_model_failed,
            UnsatisfiedLinkError("no libtensorflowlite_jni.so") to R.string.trouble_model_failed,
        )
        for ((error, message) in errors) {
            Stage().use { stage ->
                stage.app.assessor.error = error
                stage.take()
                stage.settle()
                assertTrue("$error: ${stage.text}", stage.text.contains(text(message)))
                stage.press(text(R.string.again))
                assertTrue(stage.session.state.screen is Screen.Camera)
                stage.app.assessor.error = null
            }
        }
    }

    @Test
    fun anErrorOfTheAppItselfIsNotHidden() {
        Stage().use { stage ->
            stage.app.assessor.error = IllegalStateException("a bug")
            stage.take()
            assertThrows(IllegalStateException::class.java) { stage.settle() }
        }
    }

    @Test
    fun aPhotoThatAnotherAppTakesAwayIsTold() {
        Stage().use { stage ->
            stage.session.take { throw SecurityException("no permission any more") }
            stage.settle()
            assertTrue(stage.text.contains(text(R.string.trouble_photo_unreadable)))
        }
    }

    @Test
    fun aMeasurementIsSharedAsOneFile() {
        Stage().use { stage ->
            stage.press(R.id.speed)
            stage.press(text(R.string.speed_start))
            stage.press(text(R.string.speed_share))
            val chooser = checkNotNull(stage.nextIntent())
            assertEquals(Intent.ACTION_CHOOSER, chooser.action)
            val shared = checkNotNull(chooser.getParcelableExtra(Intent.EXTRA_INTENT, Intent::class.java))
            val uri = checkNotNull(shared.getParcelableExtra(Intent.EXTRA_STREAM, Uri::class.java))
            assertEquals("content://org.imageqx.demo.runs/imageqx-bench.json", "$uri")
            val resolver = stage.app.contentResolver
            assertEquals(RunProvider.TYPE, resolver.getType(uri))
            val text = checkNotNull(resolver.openInputStream(uri)).use { it.readBytes().toString(Charsets.UTF_8) }
            assertTrue(text, text.startsWith("{\"schema_version\":1,"))
            resolver.query(uri, null, null, null, null)!!.use { row ->
                row.moveToFirst()
                assertEquals(text.length, row.getInt(row.getColumnIndexOrThrow(OpenableColumns.SIZE)))
            }
            for (other in listOf("x.json", "../photos/x", "imageqx-bench.json/x")) {
                val bad = Uri.parse("content://org.imageqx.demo.runs/$other")
                assertThrows(FileNotFoundException::class.java) { resolver.openInputStream(bad) }
            }
            assertThrows(Exception::class.java) { resolver.openOutputStream(uri) }
        }
    }
}
