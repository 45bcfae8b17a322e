package org.imageqx.demo.assess

import org.imageqx.core.attention.Heat
import org.imageqx.core.verdict.BinaryVerdict
import org.imageqx.core.verdict.LabelVerdict
import org.imageqx.core.verdict.Verdict
import org.imageqx.demo.state.Advice
import org.imageqx.demo.state.Assessment
import org.imageqx.demo.state.Finding

/**
 * Turns a verdict into what the screens show: the same for a model with labels and for one that says good or poor.
 *
 * @param map gives the map of the reason or region at an index of the spec, or null where there is none.
 */
internal fun toAssessment(verdict: Verdict, map: (Int) -> Heat?): Assessment = when (verdict) {
    is LabelVerdict -> Assessment(
        verdict,
        verdict.label,
        verdict.hints.map { hint ->
            val reason = verdict.reasons.first { it.hint == hint }
            Finding(reason.name, reason.probability, hint.text, map(reason.index))
        },
    )
    is BinaryVerdict -> Assessment(
        verdict,
        null,
        verdict.hints.map { hint ->
            val region = verdict.regions.firstOrNull { it.bad && it.hint == hint }
            Finding(hint.key, 1 - (region?.good ?: verdict.good), hint.text, region?.let { map(it.index) })
        },
    )
}

/** Says in one hint what a verdict on the live picture comes to. */
internal fun toAdvice(verdict: Verdict): Advice = verdict.hints.firstOrNull()?.let { Advice.Better(it) } ?: Advice.Good
