package org.imageqx.demo.view

import org.imageqx.core.verdict.Hint
import org.imageqx.core.verdict.NextStep
import org.imageqx.demo.R
import org.imageqx.demo.state.Advice
import org.imageqx.demo.state.CameraAccess
import org.imageqx.demo.state.Computing
import org.imageqx.demo.state.Engine
import org.imageqx.demo.state.Event
import org.imageqx.demo.state.Finding
import org.imageqx.demo.state.Problem
import org.imageqx.demo.state.Screen
import org.imageqx.demo.state.SpeedProgress
import org.imageqx.demo.state.SpeedRow
import org.imageqx.demo.state.State
import org.imageqx.demo.state.maySwitch
import java.util.Locale

/** What a screen shows, in words and lists; a layout each. */
internal sealed interface Shown {
    /** The live picture with [advice] over it; [good] colours it; the shutter works if [ready]. */
    data class Camera(val advice: Words, val good: Boolean, val ready: Boolean) : Shown

    /** A title, a text, buttons; [busy] shows that work goes on. */
    data class Message(val title: Words, val text: Words, val buttons: List<Press>, val busy: Boolean = false) : Shown

    /** A checked photo. */
    data class Result(
        val title: Words,
        val good: Boolean,
        val text: Words?,
        val photo: Words,
        val rows: List<Row>,
        val note: Words?,
        val buttons: List<Press>,
    ) : Shown

    /** The measurement of the speed: a message, what computes, a line for each model. */
    data class Speed(val message: Message, val lines: List<Words>, val processor: Toggle) : Shown
}

/** A button; [main] is the one that most people want. */
internal data class Press(val words: Words, val event: Event, val main: Boolean = false)

/** A switch; the person can turn it if [enabled]. */
internal data class Toggle(val words: Words, val on: Boolean, val enabled: Boolean)

/** A reason of a poor photo: what is wrong, what helps, and whether its map lies over the photo. */
internal data class Row(
    val name: String,
    val title: Words,
    val hint: Words,
    val percent: Int,
    val chosen: Boolean,
    val hasMap: Boolean,
)

/** How the measurement is done, for its screen. */
internal data class SpeedPlan(val processes: Int, val runs: Int, val seconds: Int)

/** Says what [state] shows. */
internal fun present(state: State, plan: SpeedPlan): Shown = when (val screen = state.screen) {
    is Screen.Camera -> presentCamera(state, screen)
    is Screen.Assessing -> Shown.Message(
        Words.Text(R.string.assessing),
        Words.Text(R.string.assessing_privacy),
        listOf(Press(Words.Text(R.string.cancel), Event.BackPressed)),
        busy = true,
    )
    is Screen.Result -> presentResult(state, screen)
    Screen.Kept -> Shown.Message(
        Words.Text(R.string.kept_title),
        Words.Text(R.string.kept_text),
        listOf(Press(Words.Text(R.string.kept_next), Event.AnotherPressed, main = true)),
    )
    is Screen.Trouble -> Shown.Message(
        Words.Text(R.string.trouble_title),
        Words.Text(describe(screen.problem)),
        listOf(Press(Words.Text(R.string.again), Event.AnotherPressed, main = true), gallery()),
    )
    is Screen.Speed -> presentSpeed(state, screen, plan)
}

private fun presentCamera(state: State, screen: Screen.Camera): Shown = when (state.camera) {
    CameraAccess.REFUSED -> presentRefused(Press(Words.Text(R.string.refused_ask), Event.AskedAgain, main = true))
    CameraAccess.REFUSED_FOR_GOOD ->
        presentRefused(Press(Words.Text(R.string.refused_settings), Event.SettingsAsked, main = true))
    CameraAccess.NONE -> Shown.Message(
        Words.Text(R.string.none_title),
        Words.Text(R.string.none_text),
        listOf(gallery(main = true)),
    )
    CameraAccess.UNKNOWN, CameraAccess.ALLOWED -> {
        val advice = when (val said = screen.advice) {
            null -> Words.Text(R.string.camera_start)
            Advice.Good -> Words.Text(R.string.camera_good)
            is Advice.Better -> translate(said.hint)
        }
        val ready = state.camera == CameraAccess.ALLOWED && !screen.shooting
        Shown.Camera(advice, screen.advice == Advice.Good, ready)
    }
}

private fun presentRefused(first: Press): Shown.Message =
    Shown.Message(Words.Text(R.string.refused_title), Words.Text(R.string.refused_text), listOf(first, gallery()))

private fun gallery(main: Boolean = false): Press =
    Press(Words.Text(R.string.camera_gallery), Event.GalleryPressed, main)

private fun presentResult(state: State, screen: Screen.Result): Shown {
    val assessment = screen.assessment
    val rows = assessment.findings.map { presentFinding(it, it.name == screen.chosen) }
    val chosen = rows.firstOrNull { it.chosen }
    val next = state.policy.findNextStep(assessment.verdict)
    val retake = Press(Words.Text(R.string.result_retake), Event.RetakePressed, main = next != NextStep.Send)
    return Shown.Result(
        title = Words.Text(if (next == NextStep.Send) R.string.result_good else R.string.result_poor),
        good = next == NextStep.Send,
        text = assessment.label?.let { Words.OfSpec("label", it, it.replace('_', ' ')) },
        photo = chosen?.let { Words.Text(R.string.result_photo_attention, it.title) } ?: Words.Text(R.string.result_photo),
        rows = rows,
        note = (next as? NextStep.Retake)?.let { Words.Count(R.plurals.result_tries_left, it.left) },
        buttons = when (next) {
            NextStep.Send -> listOf(Press(Words.Text(R.string.result_use), Event.UsePressed, main = true), retake)
            is NextStep.Retake -> listOf(retake)
            is NextStep.RetakeOrSendAnyway -> listOf(retake, Press(Words.Text(R.string.result_anyway), Event.UsePressed))
        },
    )
}

private fun presentFinding(finding: Finding, chosen: Boolean): Row {
    val plain = finding.name.replace('_', ' ').replaceFirstChar { it.uppercase(Locale.ROOT) }
    return Row(
        finding.name,
        Words.OfSpec("reason", finding.name, plain),
        translate(Hint(finding.name, finding.hint)),
        Math.round(finding.probability * 100),
        chosen,
        finding.map != null,
    )
}

private fun translate(hint: Hint): Words = Words.OfSpec("hint", hint.key, hint.text)

private fun presentSpeed(state: State, screen: Screen.Speed, plan: SpeedPlan): Shown {
    val progress = screen.progress
    val about = Words.Text(R.string.speed_text, plan.processes, plan.runs, plan.seconds)
    val start = Press(Words.Text(R.string.speed_start), Event.MeasurePressed, main = progress == SpeedProgress.Ready)
    val close = Press(Words.Text(R.string.speed_close), Event.AnotherPressed)
    val text = when (progress) {
        is SpeedProgress.Running ->
            if (progress.waiting) {
                Words.Text(R.string.speed_hot)
            } else {
                Words.Text(R.string.speed_progress, progress.done, progress.all)
            }
        else -> about
    }
    val buttons = when (progress) {
        SpeedProgress.Ready -> listOf(start, close)
        is SpeedProgress.Running -> listOf(Press(Words.Text(R.string.speed_stop), Event.MeasurePressed))
        is SpeedProgress.Done ->
            listOf(Press(Words.Text(R.string.speed_share), Event.SharePressed, main = true), start, close)
    }
    val rows = (progress as? SpeedProgress.Done)?.rows.orEmpty().map(::presentRow)
    val managed = Words.Text(R.string.speed_processor_managed).takeIf { state.computing == Computing.PROCESSOR_MANAGED }
    val lines = screen.engine?.let(::presentEngine).orEmpty() + listOfNotNull(managed) + rows
    val busy = progress is SpeedProgress.Running
    val processor =
        Toggle(Words.Text(R.string.speed_processor), state.computing != Computing.ANY, state.maySwitch(screen))
    return Shown.Speed(Shown.Message(Words.Text(R.string.speed_title), text, buttons, busy), lines, processor)
}

private fun presentEngine(engine: Engine): List<Words> = listOfNotNull(
    Words.Text(R.string.speed_engine, engine.runtime),
    engine.fallback?.let { Words.Text(R.string.speed_fallback, it) },
)

private fun presentRow(row: SpeedRow): Words {
    val quartiles = row.quartiles ?: return Words.Text(R.string.speed_failed, row.model, row.failure.orEmpty())
    val (low, middle, high) = listOf(quartiles.low, quartiles.middle, quartiles.high)
        .map { String.format(Locale.ROOT, "%.1f", it) }
    return Words.Text(R.string.speed_row, row.model, middle, low, high)
}

private fun describe(problem: Problem): Int = when (problem) {
    Problem.PHOTO_UNREADABLE -> R.string.trouble_photo_unreadable
    Problem.PHOTO_TRUNCATED -> R.string.trouble_photo_truncated
    Problem.PHOTO_TOO_LARGE -> R.string.trouble_photo_too_large
    Problem.PHOTO_UNSUPPORTED -> R.string.trouble_photo_unsupported
    Problem.MEMORY -> R.string.trouble_memory
    Problem.STORAGE -> R.string.trouble_storage
    Problem.CAMERA -> R.string.trouble_camera
    Problem.MODEL_MISSING -> R.string.trouble_model_missing
    Problem.MODEL_DAMAGED -> R.string.trouble_model_damaged
    Problem.MODEL_NEWER -> R.string.trouble_model_newer
    Problem.MODEL_FAILED -> R.string.trouble_model_failed
}
