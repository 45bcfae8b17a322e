package org.imageqx.core.verdict

/**
 * How often a person is sent back before they may send a photo that the model calls poor.
 *
 * A value: [afterRetake] returns the next one. The model may be wrong, and nobody is kept from their doctor.
 *
 * @property retakes how many photos were taken again so far.
 * @property allowed after how many of them "send anyway" is offered.
 */
public data class RetakePolicy(val retakes: Int = 0, val allowed: Int = 3) {
    init {
        require(retakes >= 0 && allowed >= 0) { "counts, got $retakes and $allowed" }
    }

    /** Says what to offer for a verdict. */
    public fun findNextStep(verdict: Verdict): NextStep = when {
        !verdict.retake -> NextStep.Send
        retakes >= allowed -> NextStep.RetakeOrSendAnyway(verdict.hints)
        else -> NextStep.Retake(verdict.hints, allowed - retakes)
    }

    /** Returns the policy once the photo is taken again. */
    public fun afterRetake(): RetakePolicy = copy(retakes = retakes + 1)
}

/** What a person may do with a photo that was assessed. */
public sealed interface NextStep {
    /** The photo is good enough. */
    public data object Send : NextStep

    /**
     * Take it again.
     *
     * @property hints what to do better, the worst reason first.
     * @property left how many retakes there are before "send anyway".
     */
    public data class Retake(val hints: List<Hint>, val left: Int) : NextStep

    /** Take it again, or send it as it is. */
    public data class RetakeOrSendAnyway(val hints: List<Hint>) : NextStep
}
