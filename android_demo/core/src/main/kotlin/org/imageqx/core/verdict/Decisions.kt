package org.imageqx.core.verdict

import org.imageqx.core.model.Answer
import org.imageqx.core.model.ModelSpec
import kotlin.math.max

/**
 * Reads outputs as a verdict, as `imageqx predict` does.
 *
 * @param outputs a model's, checked.
 * @param spec its own, or that with a clinic's thresholds.
 */
public fun decide(outputs: Outputs, spec: ModelSpec): Verdict = when (val answer = spec.answer) {
    is Answer.Labels -> decide(outputs, answer)
    is Answer.Binary -> decide(outputs, answer, spec.name)
}

private fun decide(outputs: Outputs, answer: Answer.Labels): LabelVerdict {
    val quality = outputs[Answer.QUALITY]
    val explanations = outputs[Answer.EXPLANATIONS]
    val label = answer.labels[decideLabel(quality, answer)]
    val reasons = answer.reasons.mapIndexed { index, reason ->
        val given = isGiven(explanations[index], reason.threshold)
        ReasonFinding(reason.name, index, explanations[index], given, Hint(reason.name, reason.hint))
    }
    // How far a reason lies above its threshold, as a share of the way to 1.
    val worstFirst = reasons.sortedByDescending {
        val threshold = answer.reasons[it.index].threshold
        (it.probability.toDouble() - threshold) / max(1 - threshold, 1e-6)
    }
    return LabelVerdict(label, label == Answer.POOR, answer.labels.zip(quality.asList()).toMap(), worstFirst)
}

/**
 * Returns the index of a photo's label.
 *
 * From the threshold on it is poor, and else the likeliest other label holds; without a threshold the likeliest of all
 * does. The threshold is rounded to float32, as the probabilities are.
 */
public fun decideLabel(quality: FloatArray, answer: Answer.Labels): Int {
    val threshold = answer.poorThreshold ?: return quality.indices.maxBy { quality[it] }
    val poor = answer.labels.indexOf(Answer.POOR)
    if (quality[poor] >= threshold.toFloat()) return poor
    return quality.indices.filter { it != poor }.maxBy { quality[it] }
}

/** Tells whether a probability reaches a threshold that is rounded to float32. */
internal fun isGiven(probability: Float, threshold: Double): Boolean = probability >= threshold.toFloat()

private fun decide(outputs: Outputs, answer: Answer.Binary, model: String): BinaryVerdict {
    val good = outputs[answer.output][0]
    val votes = answer.ranks?.let { ranks -> outputs[ranks.output].count { it >= 0.5f } }
    val regions = answer.regions?.let { regions ->
        regions.parts.mapIndexed { index, part ->
            val share = outputs[regions.output][index]
            val bad = !isGiven(share, regions.threshold)
            RegionFinding(part.name, index, share, bad, Hint(part.name, part.hint))
        }.sortedBy { it.good }
    }
    val isGood = isGiven(good, answer.threshold)
    return BinaryVerdict(good, !isGood, votes, regions.orEmpty(), Hint(model, answer.hint))
}
