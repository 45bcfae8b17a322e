package org.imageqx.demo.screens

import android.app.Application
import android.content.RestrictionEntry
import android.content.RestrictionsManager
import android.os.Bundle
import android.widget.Switch
import org.imageqx.demo.R
import org.imageqx.demo.find
import org.imageqx.demo.service
import org.imageqx.demo.state.Computing
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** The switch that has the processor alone compute: a person's, and an administrator's. See docs/self-test.md, point 5. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApplication::class, qualifiers = "en-w411dp-h891dp-port-notnight-mdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
internal class ProcessorTest {
    private val app: Application = RuntimeEnvironment.getApplication()
    private val fallback = "This phone's GPU is not used"

    private val Stage.switch: Switch
        get() = root.find(R.id.processor)

    @Test
    fun aPersonSwitchesTheAcceleratorOffAndItStaysOff() {
        Stage().use { stage ->
            stage.press(R.id.speed)
            assertFalse(stage.switch.isChecked)
            assertTrue(stage.text, stage.text.contains(fallback))
            stage.press(R.id.processor)
            assertTrue(stage.switch.isChecked)
            assertFalse(stage.text, stage.text.contains(fallback))
            assertEquals(listOf(Computing.ANY, Computing.PROCESSOR), stage.app.opened)
            assertTrue("what was open is closed", stage.app.assessor.closed)
            RuntimeEnvironment.setQualifiers("+land")
            stage.controller.configurationChange()
            assertTrue(stage.switch.isChecked)
            assertEquals(2, stage.app.opened.size)
        }
        Stage().use { again ->
            again.take()
            again.settle()
            assertEquals(Computing.PROCESSOR, again.app.opened.last())
            again.back()
            again.press(R.id.speed)
            assertTrue(again.switch.isChecked)
            again.press(R.id.processor)
            assertEquals(Computing.ANY, again.app.opened.last())
        }
        Stage().use { assertEquals(Computing.ANY, it.session.state.computing) }
    }

    @Test
    fun aPhotoOfADeadProcessIsCheckedAsThePersonChose() {
        val saved = Bundle()
        Stage().apply {
            press(R.id.speed)
            press(R.id.processor)
            back()
            take()
            controller.pause().saveInstanceState(saved).stop()
        }
        Stage(state = saved).use { stage ->
            stage.settle()
            assertEquals(Computing.PROCESSOR, stage.app.opened.last())
        }
    }

    @Test
    fun anAdministratorsChoiceIsTheLastWord() {
        manageProcessor(app, true)
        Stage().use { stage ->
            stage.press(R.id.speed)
            assertTrue(stage.switch.isChecked)
            assertFalse(stage.switch.isEnabled)
            assertTrue(stage.text, stage.text.contains(app.getString(R.string.speed_processor_managed)))
            assertEquals(listOf(Computing.PROCESSOR_MANAGED), stage.app.opened)
            // Lifted while the app was in the background.
            stage.controller.pause().stop()
            manageProcessor(app, false)
            stage.controller.restart().start().resume()
            stage.settle()
            assertFalse(stage.switch.isChecked)
            assertTrue(stage.switch.isEnabled)
            assertEquals(Computing.ANY, stage.app.opened.last())
        }
    }

    @Test
    fun anAdministratorIsToldOfTheKeyThatIsRead() {
        val told = app.service<RestrictionsManager>().getManifestRestrictions(app.packageName)
        assertEquals(listOf("use_processor"), told.map { it.key })
        assertEquals(listOf(RestrictionEntry.TYPE_BOOLEAN), told.map { it.type })
    }
}
