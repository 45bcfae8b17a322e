package org.imageqx.demo.screens

import org.imageqx.core.verdict.Hint
import org.imageqx.demo.R
import org.imageqx.demo.state.Advice
import org.imageqx.demo.state.CameraAccess
import org.imageqx.demo.state.Event
import org.imageqx.demo.state.Problem

/** The way to each screen. */
internal object Screens {
    val all: Map<String, (Stage) -> Unit> = mapOf(
        "camera" to {},
        "camera-advice" to { it.session.send(Event.FrameAssessed(Advice.Better(Hint("low_resolution", "Use the main camera")))) },
        "refused" to { it.session.send(Event.CameraAnswered(CameraAccess.REFUSED)) },
        "refused-for-good" to { it.session.send(Event.CameraAnswered(CameraAccess.REFUSED_FOR_GOOD)) },
        "no-camera" to { it.session.send(Event.CameraAnswered(CameraAccess.NONE)) },
        "assessing" to { it.take() },
        "good" to { show(it, Assessments.good) },
        "poor" to { show(it, Assessments.poor) },
        "poor-region" to { show(it, Assessments.region) },
        "poor-last" to {
            repeat(3) { _ ->
                show(it, Assessments.poor)
                it.session.send(Event.RetakePressed)
            }
            show(it, Assessments.poor)
        },
        "kept" to {
            show(it, Assessments.good)
            it.session.send(Event.UsePressed)
        },
        "trouble" to { it.session.send(Event.Failed(Problem.PHOTO_UNSUPPORTED)) },
        "speed" to { it.press(R.id.speed) },
        "speed-processor" to {
            it.press(R.id.speed)
            it.press(R.id.processor)
        },
        "speed-managed" to {
            manageProcessor(it.app, true)
            it.session.start(CameraAccess.ALLOWED)
            it.press(R.id.speed)
        },
        "speed-done" to {
            it.press(R.id.speed)
            it.session.send(Event.MeasurePressed)
            it.settle()
        },
    )

    private fun show(stage: Stage, answer: org.imageqx.demo.state.Assessment) {
        stage.app.assessor.answer = answer
        stage.take()
        stage.settle()
    }
}
