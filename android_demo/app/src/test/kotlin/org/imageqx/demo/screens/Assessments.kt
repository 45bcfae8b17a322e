package org.imageqx.demo.screens

import org.imageqx.core.attention.Heat
import org.imageqx.core.verdict.BinaryVerdict
import org.imageqx.core.verdict.Hint
import org.imageqx.core.verdict.LabelVerdict
import org.imageqx.core.verdict.ReasonFinding
import org.imageqx.core.verdict.RegionFinding
import org.imageqx.demo.assess.toAssessment
import org.imageqx.demo.state.Assessment

/** Answers of both networks. */
internal object Assessments {
    private val map = Heat(7, 7, FloatArray(49) { if (it / 7 in 2..4 && it % 7 in 3..5) 1f else it / 120f })

    val good: Assessment = imageqx("lesion", 0.1f to false, 0.05f to false)

    /** ImageQX: a label of four, reasons with maps. */
    val poor: Assessment = imageqx("poor_quality", 0.93f to true, 0.61f to true)

    /** Duke IQA: good or not, and which of the regions is bad. */
    val region: Assessment = toAssessment(
        BinaryVerdict(
            0.31f,
            true,
            1,
            listOf(
                RegionFinding("top_left", 0, 0.19f, true, Hint("top_left", "Light the upper left corner")),
                RegionFinding("centre", 4, 0.8f, false, Hint("centre", "Move closer")),
            ),
            Hint("duke-iqa", "Take the photo again"),
        ),
    ) { Heat(4, 4, FloatArray(16) { place -> if (place / 4 < 2 && place % 4 < 2) 1f else 0f }) }

    private fun imageqx(label: String, blurry: Pair<Float, Boolean>, far: Pair<Float, Boolean>): Assessment = toAssessment(
        LabelVerdict(
            label,
            label == "poor_quality",
            mapOf(label to 0.9f),
            listOf(
                ReasonFinding("blurry", 2, blurry.first, blurry.second, Hint("blurry", "Hold the phone still")),
                ReasonFinding("too_far_away", 4, far.first, far.second, Hint("too_far_away", "Move closer")),
                ReasonFinding("bad_light", 1, 0.02f, false, Hint("bad_light", "Go to a bright place")),
            ),
        ),
    ) { map }
}
