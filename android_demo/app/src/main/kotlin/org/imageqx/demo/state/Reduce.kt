package org.imageqx.demo.state

import org.imageqx.core.verdict.NextStep
import org.imageqx.core.verdict.RetakePolicy

/**
 * Says what follows on an event: the one place that knows the app's ways.
 *
 * An event that does not fit the screen, such as a press that came while the screen changed, changes nothing.
 */
internal fun reduce(state: State, event: Event): Step = when (event) {
    is Event.Started -> start(state, event)
    is Event.CameraAnswered -> Step(state.copy(camera = event.camera))
    Event.AskedAgain -> Step(state, listOf(Effect.AskForCamera))
    Event.SettingsAsked -> Step(state, listOf(Effect.OpenSettings))
    Event.GalleryPressed -> Step(state, listOf(Effect.OpenGallery))
    is Event.ComputingRead -> compute(state, event.computing)
    is Event.PhotoCame -> check(state, event.photo)
    is Event.Failed -> fail(state, event.problem)
    Event.BackPressed -> goBack(state)
    else -> when (val screen = state.screen) {
        is Screen.Camera -> onCamera(state, screen, event)
        is Screen.Assessing -> onAssessing(state, screen, event)
        is Screen.Result -> onResult(state, screen, event)
        is Screen.Kept, is Screen.Trouble -> if (event == Event.AnotherPressed) Step(showCamera(state)) else Step(state)
        is Screen.Speed -> onSpeed(state, screen, event)
    }
}

private fun start(state: State, event: Event.Started): Step = when {
    event.camera != null -> Step(state.copy(camera = event.camera))
    // A refusal is not asked again each time the app comes to the front; the person can press the button.
    state.camera == CameraAccess.REFUSED || state.camera == CameraAccess.REFUSED_FOR_GOOD -> Step(state)
    else -> Step(state, listOf(Effect.AskForCamera))
}

/** Has the model opened anew for another [computing]; the speed screen then tells what computes. */
private fun compute(state: State, computing: Computing): Step {
    if (computing == state.computing) return Step(state)
    val screen = state.screen as? Screen.Speed ?: return Step(state.copy(computing = computing), listOf(Effect.Reopen))
    val shown = state.copy(computing = computing, screen = screen.copy(engine = null))
    return Step(shown, listOf(Effect.Reopen, Effect.DescribeEngine))
}

private fun switchProcessor(state: State, screen: Screen.Speed, only: Boolean): Step {
    if (!state.maySwitch(screen)) return Step(state)
    val step = compute(state, if (only) Computing.PROCESSOR else Computing.ANY)
    return if (step.effects.isEmpty()) step else step.copy(effects = listOf(Effect.KeepProcessor(only)) + step.effects)
}

/** Whether the person may choose what computes: not over an administrator, and not while that is measured. */
internal fun State.maySwitch(screen: Screen.Speed): Boolean =
    computing != Computing.PROCESSOR_MANAGED && screen.progress !is SpeedProgress.Running

private fun onCamera(state: State, screen: Screen.Camera, event: Event): Step = when (event) {
    is Event.FrameAssessed -> Step(state.copy(screen = screen.copy(advice = event.advice)))
    Event.ShutterPressed ->
        if (screen.shooting || state.camera != CameraAccess.ALLOWED) {
            Step(state)
        } else {
            Step(state.copy(screen = screen.copy(shooting = true)), listOf(Effect.Shoot))
        }
    Event.SpeedPressed -> Step(state.copy(screen = Screen.Speed()), listOf(Effect.DescribeEngine))
    else -> Step(state)
}

private fun check(state: State, photo: Photo): Step {
    val number = state.check + 1
    val before = listOfNotNull(findPhoto(state.screen)?.takeIf { it != photo }?.let(Effect::Delete))
    return Step(state.copy(screen = Screen.Assessing(photo), check = number), before + Effect.Assess(photo, number))
}

private fun onAssessing(state: State, screen: Screen.Assessing, event: Event): Step = when {
    event is Event.Assessed && event.check == state.check -> {
        val worst = event.assessment.findings.firstOrNull { it.map != null }?.name
        Step(state.copy(screen = Screen.Result(screen.photo, event.assessment, worst)))
    }
    event is Event.CheckFailed && event.check == state.check -> fail(state, event.problem)
    else -> Step(state)
}

private fun onResult(state: State, screen: Screen.Result, event: Event): Step = when (event) {
    is Event.ReasonPressed -> {
        val chosen = event.name.takeIf { it != screen.chosen }
        Step(state.copy(screen = screen.copy(chosen = chosen)))
    }
    Event.RetakePressed -> {
        val policy = if (screen.assessment.verdict.retake) state.policy.afterRetake() else state.policy
        Step(showCamera(state).copy(policy = policy), listOf(Effect.Delete(screen.photo)))
    }
    Event.UsePressed ->
        if (state.policy.findNextStep(screen.assessment.verdict) is NextStep.Retake) {
            Step(state)
        } else {
            Step(state.copy(screen = Screen.Kept, policy = RetakePolicy()), listOf(Effect.Delete(screen.photo)))
        }
    else -> Step(state)
}

private fun onSpeed(state: State, screen: Screen.Speed, event: Event): Step {
    fun show(progress: SpeedProgress) = state.copy(screen = screen.copy(progress = progress))
    return when (event) {
        Event.MeasurePressed ->
            if (screen.progress is SpeedProgress.Running) {
                Step(show(SpeedProgress.Ready), listOf(Effect.StopMeasuring))
            } else {
                Step(show(SpeedProgress.Running(0, 0)), listOf(Effect.Measure))
            }
        is Event.Measured ->
            if (screen.progress is SpeedProgress.Running) Step(show(event.progress)) else Step(state)
        is Event.ProcessorSwitched -> switchProcessor(state, screen, event.only)
        is Event.EngineDescribed -> Step(state.copy(screen = screen.copy(engine = event.engine)))
        Event.SharePressed -> if (screen.progress is SpeedProgress.Done) Step(state, listOf(Effect.ShareRun)) else Step(state)
        Event.AnotherPressed -> goBack(state)
        else -> Step(state)
    }
}

private fun fail(state: State, problem: Problem): Step {
    val left = listOfNotNull(findPhoto(state.screen)?.let(Effect::Delete))
    val stopped = if (state.screen is Screen.Speed) listOf(Effect.StopMeasuring) else emptyList()
    return Step(state.copy(screen = Screen.Trouble(problem)), left + stopped)
}

private fun goBack(state: State): Step = when (val screen = state.screen) {
    is Screen.Camera -> Step(state, listOf(Effect.Leave))
    is Screen.Assessing -> Step(showCamera(state), listOf(Effect.StopCheck, Effect.Delete(screen.photo)))
    is Screen.Result -> onResult(state, screen, Event.RetakePressed)
    is Screen.Kept, is Screen.Trouble -> Step(showCamera(state))
    is Screen.Speed -> Step(
        showCamera(state),
        if (screen.progress is SpeedProgress.Running) listOf(Effect.StopMeasuring) else emptyList(),
    )
}

private fun showCamera(state: State): State = state.copy(screen = Screen.Camera(), check = state.check + 1)

private fun findPhoto(screen: Screen): Photo? = when (screen) {
    is Screen.Assessing -> screen.photo
    is Screen.Result -> screen.photo
    else -> null
}
