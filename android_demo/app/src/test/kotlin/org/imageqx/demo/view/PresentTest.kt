package org.imageqx.demo.view

import org.imageqx.core.verdict.Hint
import org.imageqx.core.verdict.RetakePolicy
import org.imageqx.demo.R
import org.imageqx.demo.screens.Assessments
import org.imageqx.demo.state.Advice
import org.imageqx.demo.state.CameraAccess
import org.imageqx.demo.state.Computing
import org.imageqx.demo.state.Engine
import org.imageqx.demo.state.Event
import org.imageqx.demo.state.Photo
import org.imageqx.demo.state.Problem
import org.imageqx.demo.state.Quartiles
import org.imageqx.demo.state.Screen
import org.imageqx.demo.state.SpeedProgress
import org.imageqx.demo.state.SpeedRow
import org.imageqx.demo.state.State
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

internal class PresentTest {
    private val plan = SpeedPlan(10, 100, 10)

    private fun show(screen: Screen, state: State = State(camera = CameraAccess.ALLOWED)) = present(state.copy(screen = screen), plan)

    private fun result(retakes: Int) = show(
        Screen.Result(Photo("x"), Assessments.poor, "blurry"),
        State(policy = RetakePolicy(retakes)),
    ) as Shown.Result

    @Test
    fun theSpecsOwnWordsStandWhereThereIsNoTranslation() {
        val shown = show(Screen.Camera(Advice.Better(Hint("new_reason", "Do this")))) as Shown.Camera
        assertEquals(Words.OfSpec("hint", "new_reason", "Do this"), shown.advice)
    }

    @Test
    fun theShutterWaitsForTheCamera() {
        assertTrue((show(Screen.Camera()) as Shown.Camera).ready)
        assertFalse((show(Screen.Camera(shooting = true)) as Shown.Camera).ready)
        assertFalse((show(Screen.Camera(), State()) as Shown.Camera).ready)
    }

    @Test
    fun aRefusedCameraLeavesTheGallery() {
        for (access in listOf(CameraAccess.REFUSED, CameraAccess.REFUSED_FOR_GOOD, CameraAccess.NONE)) {
            val shown = show(Screen.Camera(), State(camera = access)) as Shown.Message
            assertTrue(shown.buttons.any { it.event == Event.GalleryPressed }, "$access")
        }
    }

    @Test
    fun countsDownToSendAnyway() {
        assertEquals(Words.Count(R.plurals.result_tries_left, 3), result(0).note)
        assertEquals(listOf(Event.RetakePressed), result(2).buttons.map { it.event })
        assertNull(result(3).note)
        assertEquals(listOf(Event.RetakePressed, Event.UsePressed), result(3).buttons.map { it.event })
    }

    @Test
    fun oneButtonIsTheMainOne() {
        val screens = listOf(
            Screen.Result(Photo("x"), Assessments.good, null),
            Screen.Result(Photo("x"), Assessments.region, null),
            Screen.Kept,
            Screen.Trouble(Problem.MEMORY),
        )
        for (screen in screens) {
            val buttons = when (val shown = show(screen)) {
                is Shown.Result -> shown.buttons
                is Shown.Message -> shown.buttons
                else -> error("$shown has no buttons")
            }
            assertEquals(1, buttons.count { it.main }, "$screen")
        }
    }

    @Test
    fun aModelThatSaysGoodOrPoorShowsItsRegions() {
        val shown = show(Screen.Result(Photo("x"), Assessments.region, "top_left")) as Shown.Result
        assertNull(shown.text)
        assertEquals(listOf("top_left"), shown.rows.map { it.name })
        assertEquals(81, shown.rows[0].percent)
        assertEquals(Words.OfSpec("reason", "top_left", "Top left"), shown.rows[0].title)
    }

    @Test
    fun eachProblemHasWordsOfItsOwn() {
        val texts = Problem.entries.map { (show(Screen.Trouble(it)) as Shown.Message).text }
        assertEquals(Problem.entries.size, texts.toSet().size)
    }

    @Test
    fun aMeasurementShowsQuartilesOrWhyThereAreNone() {
        val rows = listOf(
            SpeedRow("a.tflite", Quartiles(6.04, 6.25, 7.0), null),
            SpeedRow("b.tflite", null, "the memory is full"),
        )
        val shown = show(Screen.Speed(SpeedProgress.Done(rows))) as Shown.Speed
        assertEquals(Words.Text(R.string.speed_row, "a.tflite", "6.3", "6.0", "7.0"), shown.lines[0])
        assertEquals(Words.Text(R.string.speed_failed, "b.tflite", "the memory is full"), shown.lines[1])
    }

    @Test
    fun theSpeedScreenSaysWhatComputesAndWhyNotTheGpu() {
        val onProcessor = Engine("TensorFlow Lite 2.16.1, 2 threads", "gpu: quality is 0.97 off")
        val shown = show(Screen.Speed(engine = onProcessor)) as Shown.Speed
        assertEquals(
            listOf(Words.Text(R.string.speed_engine, onProcessor.runtime), Words.Text(R.string.speed_fallback, "gpu: quality is 0.97 off")),
            shown.lines,
        )
        assertEquals(Toggle(Words.Text(R.string.speed_processor), on = false, enabled = true), shown.processor)
        val onGpu = show(Screen.Speed(engine = Engine("TensorFlow Lite 2.16.1, GpuDelegate", null))) as Shown.Speed
        assertEquals(1, onGpu.lines.size)
    }

    @Test
    fun theSwitchShowsWhoChoseTheProcessor() {
        fun speed(computing: Computing, progress: SpeedProgress = SpeedProgress.Ready) =
            show(Screen.Speed(progress), State(computing = computing)) as Shown.Speed
        assertEquals(listOf(true, true), speed(Computing.PROCESSOR).processor.run { listOf(on, enabled) })
        val managed = speed(Computing.PROCESSOR_MANAGED)
        assertEquals(listOf(true, false), managed.processor.run { listOf(on, enabled) })
        assertEquals(listOf(Words.Text(R.string.speed_processor_managed)), managed.lines)
        assertFalse(speed(Computing.ANY, SpeedProgress.Running(1, 22)).processor.enabled)
    }
}
