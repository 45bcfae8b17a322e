package org.imageqx.core.verdict

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class RetakePolicyTest {
    private val hints = listOf(Hint("blurry", "Hold still"), Hint("bad_light", "More light"))
    private val poor = FakeVerdict(retake = true, hints)

    @Test
    fun `after three retakes a poor photo may be sent anyway`() {
        val steps = generateSequence(RetakePolicy()) { it.afterRetake() }.take(5).map { it.findNextStep(poor) }.toList()
        val anyway = NextStep.RetakeOrSendAnyway(hints)
        val wanted = listOf(NextStep.Retake(hints, 3), NextStep.Retake(hints, 2), NextStep.Retake(hints, 1), anyway, anyway)
        assertEquals(wanted, steps)
    }

    @Test
    fun `a good photo is sent, whatever came before`() {
        assertEquals(NextStep.Send, RetakePolicy(retakes = 2).findNextStep(FakeVerdict(retake = false, emptyList())))
    }

    @Test
    fun `a clinic may allow no retakes at all`() {
        assertEquals(NextStep.RetakeOrSendAnyway(hints), RetakePolicy(allowed = 0).findNextStep(poor))
    }

    private fun FakeVerdict(retake: Boolean, hints: List<Hint>): Verdict {
        val findings = hints.mapIndexed { i, hint -> ReasonFinding(hint.key, i, 0.9f, true, hint) }
        return LabelVerdict("label", retake, emptyMap(), findings)
    }
}
