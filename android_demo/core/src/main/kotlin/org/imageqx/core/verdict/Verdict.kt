package org.imageqx.core.verdict

/** What a model says of a photo. */
public sealed interface Verdict {
    /** Whether the person should take the photo again. */
    public val retake: Boolean

    /** What to tell the person, the worst first; empty if the photo is good enough, and never empty otherwise. */
    public val hints: List<Hint>
}

/**
 * Something to tell the person who takes the photo.
 *
 * @property key the name of a reason or region, or the model's own, for an app's translations.
 * @property text the spec's English, for what an app does not translate.
 */
public data class Hint(val key: String, val text: String)

/**
 * The verdict of a model with labels.
 *
 * @property label what was decided.
 * @property probabilities per label; the sum is 1.
 * @property reasons every reason, the worst first.
 */
public data class LabelVerdict(
    val label: String,
    override val retake: Boolean,
    val probabilities: Map<String, Float>,
    val reasons: List<ReasonFinding>,
) : Verdict {
    /** A poor photo without a reason above its threshold gets the likeliest one, as "poor" alone helps nobody. */
    override val hints: List<Hint>
        get() = if (retake) reasons.filter { it.given }.ifEmpty { reasons.take(1) }.map { it.hint } else emptyList()
}

/**
 * A reason, and whether it is given.
 *
 * @property index its place among the spec's reasons, and so its map's among the heat maps.
 * @property probability in [0, 1].
 */
public data class ReasonFinding(
    val name: String,
    val index: Int,
    val probability: Float,
    val given: Boolean,
    val hint: Hint,
)

/**
 * The verdict of a model that says good or poor.
 *
 * @property good the probability that the photo is good.
 * @property votes how many raters would call it good; null where the model does not say.
 * @property regions every region, the worst first; empty where the model has none.
 */
public data class BinaryVerdict(
    val good: Float,
    override val retake: Boolean,
    val votes: Int?,
    val regions: List<RegionFinding>,
    private val general: Hint,
) : Verdict {
    /** The bad regions' hints; where none is bad, the model's own. */
    override val hints: List<Hint>
        get() = if (retake) regions.filter { it.bad }.map { it.hint }.ifEmpty { listOf(general) } else emptyList()
}

/**
 * A region, and whether it is bad.
 *
 * @property index its place among the spec's regions.
 * @property good the probability that it is good.
 */
public data class RegionFinding(val name: String, val index: Int, val good: Float, val bad: Boolean, val hint: Hint)
