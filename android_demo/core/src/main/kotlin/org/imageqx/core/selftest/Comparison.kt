package org.imageqx.core.selftest

import org.imageqx.core.model.Answer
import org.imageqx.core.model.ModelSpec
import org.imageqx.core.verdict.Outputs
import org.imageqx.core.verdict.decideLabel
import org.imageqx.core.verdict.isGiven
import kotlin.math.abs

/** What a self-test says. */
public sealed interface SelfTestResult {
    /** The accelerator is right here; [maxAbs] is the largest |Δ| of any number. */
    public data class Passed(val maxAbs: Float) : SelfTestResult

    /** It is not; [why] is for the app's version screen and logs. */
    public data class Failed(val why: String) : SelfTestResult
}

/**
 * Compares what an accelerator gave with what PyTorch gave, picture by picture.
 *
 * @param wanted PyTorch's outputs.
 * @param got the accelerator's, in the same order.
 */
public fun compare(spec: ModelSpec, wanted: List<Outputs>, got: List<Outputs>, tolerance: Tolerance): SelfTestResult {
    require(wanted.size == got.size && wanted.isNotEmpty()) { "as many pictures, got ${wanted.size} and ${got.size}" }
    var maxAbs = 0f
    for (output in spec.outputs) {
        val distance = wanted.indices.maxOf { measure(wanted[it][output.name], got[it][output.name]) }
        if (!distance.isFinite()) return SelfTestResult.Failed("${output.name} is not finite, or of another size")
        if (distance > tolerance.maxAbs) {
            return SelfTestResult.Failed("${output.name} is $distance off, ${tolerance.maxAbs} is allowed")
        }
        val decisions = wanted.indices.flatMap { spec.answer.pair(output.name, wanted[it][output.name], got[it][output.name]) }
        val differing = decisions.count { it.differs && it.margin >= tolerance.margin }
        if (decisions.isNotEmpty() && (decisions.size - differing).toDouble() / decisions.size < tolerance.agreement) {
            return SelfTestResult.Failed("$differing of ${decisions.size} decisions of ${output.name} differ")
        }
        maxAbs = maxOf(maxAbs, distance)
    }
    return SelfTestResult.Passed(maxAbs)
}

private fun measure(wanted: FloatArray, got: FloatArray): Float {
    if (wanted.size != got.size || got.any { !it.isFinite() }) return Float.POSITIVE_INFINITY
    return wanted.indices.maxOf { abs(wanted[it] - got[it]) }
}

/** A decision that both took. [margin] is how near PyTorch was to deciding as the other did. */
private class Decision(val differs: Boolean, val margin: Float)

private fun Answer.pair(output: String, wanted: FloatArray, got: FloatArray): List<Decision> = when (this) {
    is Answer.Labels -> when (output) {
        Answer.QUALITY -> listOf(Decision(decideLabel(wanted, this) != decideLabel(got, this), margin(wanted, got)))
        Answer.EXPLANATIONS -> pair(wanted, got, reasons.map { it.threshold })
        else -> emptyList()
    }
    is Answer.Binary -> when (output) {
        this.output -> pair(wanted, got, listOf(threshold))
        regions?.output -> pair(wanted, got, regions.parts.map { regions.threshold })
        else -> emptyList()
    }
}

private fun pair(wanted: FloatArray, got: FloatArray, thresholds: List<Double>): List<Decision> =
    thresholds.mapIndexed { i, threshold ->
        Decision(isGiven(wanted[i], threshold) != isGiven(got[i], threshold), abs(wanted[i] - threshold.toFloat()))
    }

private fun Answer.Labels.margin(wanted: FloatArray, got: FloatArray): Float {
    val threshold = poorThreshold ?: return lead(wanted.asList())
    val poor = labels.indexOf(Answer.POOR)
    val crossed = (decideLabel(wanted, this) == poor) != (decideLabel(got, this) == poor)
    return if (crossed) abs(wanted[poor] - threshold.toFloat()) else lead(wanted.filterIndexed { i, _ -> i != poor })
}

private fun lead(values: List<Float>): Float = values.sortedDescending().let { if (it.size < 2) Float.MAX_VALUE else it[0] - it[1] }
