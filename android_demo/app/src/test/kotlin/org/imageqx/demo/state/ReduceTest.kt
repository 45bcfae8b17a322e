package org.imageqx.demo.state

import org.imageqx.core.verdict.RetakePolicy
import org.imageqx.demo.screens.Assessments
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

internal class ReduceTest {
    private val photo = Photo("/cache/photo1")
    private val ready = State(camera = CameraAccess.ALLOWED)

    /** Sends events one after another, and returns the last step. */
    private fun State.after(vararg events: Event): Step = events.fold(Step(this)) { step, event -> reduce(step.state, event) }

    private fun State.afterPoorPhoto(): State {
        val step = after(Event.PhotoCame(photo))
        return reduce(step.state, Event.Assessed(step.state.check, Assessments.poor)).state
    }

    @Test
    fun asksForTheCameraOnceAndNotAgainAfterARefusal() {
        assertEquals(listOf(Effect.AskForCamera), State().after(Event.Started(null)).effects)
        val refused = State().after(Event.Started(null), Event.CameraAnswered(CameraAccess.REFUSED))
        assertEquals(emptyList<Effect>(), reduce(refused.state, Event.Started(null)).effects)
        assertEquals(listOf(Effect.AskForCamera), reduce(refused.state, Event.AskedAgain).effects)
        assertEquals(CameraAccess.ALLOWED, reduce(refused.state, Event.Started(CameraAccess.ALLOWED)).state.camera)
    }

    @Test
    fun takesOnePhotoHoweverOftenTheShutterIsPressed() {
        val first = ready.after(Event.ShutterPressed)
        assertEquals(listOf(Effect.Shoot), first.effects)
        assertEquals(emptyList<Effect>(), reduce(first.state, Event.ShutterPressed).effects)
    }

    @Test
    fun takesNoPhotoWithoutTheCamera() {
        assertEquals(emptyList<Effect>(), State().after(Event.ShutterPressed).effects)
    }

    @Test
    fun showsTheWorstReasonsMapFirst() {
        val result = ready.afterPoorPhoto().screen as Screen.Result
        assertEquals("blurry", result.chosen)
        assertEquals(listOf("blurry", "too_far_away"), result.assessment.findings.map { it.name })
    }

    @Test
    fun showsAnotherReasonsMapAndTheBarePhoto() {
        val other = ready.afterPoorPhoto().after(Event.ReasonPressed("too_far_away")).state
        assertEquals("too_far_away", (other.screen as Screen.Result).chosen)
        val bare = reduce(other, Event.ReasonPressed("too_far_away")).state
        assertNull((bare.screen as Screen.Result).chosen)
    }

    @Test
    fun offersToSendAnywayAfterThreeRetakes() {
        var state = ready
        repeat(3) {
            state = state.afterPoorPhoto()
            assertTrue(reduce(state, Event.UsePressed).state.screen is Screen.Result, "retake $it")
            state = reduce(state, Event.RetakePressed).state
        }
        val used = reduce(state.afterPoorPhoto(), Event.UsePressed)
        assertEquals(Screen.Kept, used.state.screen)
        assertEquals(listOf(Effect.Delete(photo)), used.effects)
        assertEquals(RetakePolicy(), used.state.policy)
    }

    @Test
    fun aGoodPhotoTakenAgainIsNoRetake() {
        val step = ready.after(Event.PhotoCame(photo))
        val good = reduce(step.state, Event.Assessed(step.state.check, Assessments.good)).state
        assertEquals(0, reduce(good, Event.RetakePressed).state.policy.retakes)
    }

    @Test
    fun anAnswerThatComesAfterBackChangesNothing() {
        val checking = ready.after(Event.PhotoCame(photo))
        val back = reduce(checking.state, Event.BackPressed)
        assertEquals(listOf(Effect.StopCheck, Effect.Delete(photo)), back.effects)
        val late = reduce(back.state, Event.Assessed(checking.state.check, Assessments.poor))
        assertEquals(back.state, late.state)
        val other = back.state.after(Event.PhotoCame(Photo("/cache/photo2"))).state
        assertEquals(other, reduce(other, Event.Assessed(checking.state.check, Assessments.poor)).state)
        assertEquals(other, reduce(other, Event.CheckFailed(checking.state.check, Problem.MEMORY)).state)
    }

    @Test
    fun anotherPhotoTakesThePlaceOfTheOneThatIsChecked() {
        val step = ready.after(Event.PhotoCame(photo), Event.PhotoCame(Photo("/cache/photo2")))
        assertEquals(listOf(Effect.Delete(photo), Effect.Assess(Photo("/cache/photo2"), 2)), step.effects)
    }

    @Test
    fun everyProblemHasItsScreenAndAWayBack() {
        for (problem in Problem.entries) {
            val step = ready.after(Event.PhotoCame(photo))
            val trouble = reduce(step.state, Event.CheckFailed(step.state.check, problem))
            assertEquals(Screen.Trouble(problem), trouble.state.screen)
            assertEquals(listOf(Effect.Delete(photo)), trouble.effects)
            assertEquals(Screen.Camera(), reduce(trouble.state, Event.AnotherPressed).state.screen)
            assertEquals(Screen.Camera(), reduce(trouble.state, Event.BackPressed).state.screen)
        }
    }

    @Test
    fun leavesFromTheCameraAlone() {
        assertEquals(listOf(Effect.Leave), ready.after(Event.BackPressed).effects)
        assertEquals(Screen.Camera(), ready.after(Event.SpeedPressed, Event.BackPressed).state.screen)
    }

    @Test
    fun stopsMeasuringWhenThePersonGoesBack() {
        val running = ready.after(Event.SpeedPressed, Event.MeasurePressed)
        assertEquals(listOf(Effect.Measure), running.effects)
        assertEquals(listOf(Effect.StopMeasuring), reduce(running.state, Event.BackPressed).effects)
        assertEquals(listOf(Effect.StopMeasuring), reduce(running.state, Event.MeasurePressed).effects)
        val done = reduce(running.state, Event.Measured(SpeedProgress.Done(emptyList())))
        assertEquals(listOf(Effect.ShareRun), reduce(done.state, Event.SharePressed).effects)
        val stopped = reduce(running.state, Event.MeasurePressed).state
        assertEquals(stopped, reduce(stopped, Event.Measured(SpeedProgress.Running(3, 22))).state)
    }

    @Test
    fun anEventOfAnotherScreenChangesNothing() {
        val foreign = listOf(Event.UsePressed, Event.RetakePressed, Event.SharePressed, Event.ReasonPressed("blurry"))
        for (event in foreign) assertEquals(Step(ready), reduce(ready, event))
    }

    @Test
    fun aDeadProcessChecksItsPhotoAgain() {
        val result = ready.copy(policy = RetakePolicy(2)).afterPoorPhoto()
        val step = restore(save(result)) { it == photo.path }
        assertEquals(Screen.Assessing(photo), step.state.screen)
        assertEquals(listOf(Effect.Assess(photo, 1)), step.effects)
        assertEquals(2, step.state.policy.retakes)
        assertEquals(Screen.Camera(), restore(save(result)) { false }.state.screen)
        assertEquals(Step(State()), restore(Saved(null, -4)) { true })
    }

    @Test
    fun theProcessorIsChosenKeptAndTheModelOpenedAnew() {
        val speed = ready.after(Event.SpeedPressed, Event.EngineDescribed(Engine("GPU", null))).state
        val chosen = reduce(speed, Event.ProcessorSwitched(true))
        assertEquals(Computing.PROCESSOR, chosen.state.computing)
        assertNull((chosen.state.screen as Screen.Speed).engine, "what computed before is no longer shown")
        assertEquals(listOf(Effect.KeepProcessor(true), Effect.Reopen, Effect.DescribeEngine), chosen.effects)
        assertEquals(Step(chosen.state), reduce(chosen.state, Event.ProcessorSwitched(true)))
        val back = reduce(chosen.state, Event.ProcessorSwitched(false))
        assertEquals(Computing.ANY, back.state.computing)
        assertEquals(Effect.KeepProcessor(false), back.effects.first())
    }

    @Test
    fun whatComputesCannotBeSwitchedWhileItIsMeasuredOrManaged() {
        val running = ready.after(Event.SpeedPressed, Event.MeasurePressed).state
        assertEquals(Step(running), reduce(running, Event.ProcessorSwitched(true)))
        val managed = ready.after(Event.ComputingRead(Computing.PROCESSOR_MANAGED))
        assertEquals(listOf(Effect.Reopen), managed.effects)
        val speed = managed.state.after(Event.SpeedPressed).state
        assertEquals(Step(speed), reduce(speed, Event.ProcessorSwitched(false)))
        val freed = reduce(speed, Event.ComputingRead(Computing.ANY))
        assertEquals(listOf(Effect.Reopen, Effect.DescribeEngine), freed.effects)
        assertEquals(Step(freed.state), reduce(freed.state, Event.ComputingRead(Computing.ANY)))
    }

    @Test
    fun whatComputesIsAskedForTheSpeedScreenAndStaysOnIt() {
        val engine = Engine("TensorFlow Lite 2.16.1, 2 threads", null)
        val asked = ready.after(Event.SpeedPressed)
        assertEquals(listOf(Effect.DescribeEngine), asked.effects)
        val running = asked.state.after(Event.EngineDescribed(engine), Event.MeasurePressed, Event.Measured(SpeedProgress.Done(emptyList())))
        assertEquals(Screen.Speed(SpeedProgress.Done(emptyList()), engine), running.state.screen)
        assertEquals(Screen.Camera(), ready.after(Event.EngineDescribed(engine)).state.screen)
    }
}
