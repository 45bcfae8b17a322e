package org.imageqx.core.verdict

import org.imageqx.core.Golden
import org.imageqx.core.ModelFailed
import org.imageqx.core.flag
import org.imageqx.core.floats
import org.imageqx.core.int
import org.imageqx.core.model.Answer
import org.imageqx.core.model.Examples
import org.imageqx.core.model.readSpec
import org.imageqx.core.primitives
import org.imageqx.core.text
import org.imageqx.core.texts
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory

class DecisionsTest {
    @TestFactory
    fun `verdicts are those of imageqx predict`(): List<DynamicTest> = Golden.cases("verdicts").mapIndexed { number, case ->
        dynamicTest("outputs $number") {
            val outputs = Outputs(
                mapOf(Answer.QUALITY to case.floats("quality"), Answer.EXPLANATIONS to case.floats("explanations")),
            )
            val verdict = decide(outputs, readSpec(case.text("spec"), "case $number")) as LabelVerdict
            assertEquals(case.text("label"), verdict.label)
            assertEquals(case.flag("retake"), verdict.retake)
            assertEquals(case.texts("reasons"), verdict.reasons.map { it.name })
            assertEquals(case.primitives("given").map { it.content == "true" }, verdict.reasons.map { it.given })
            assertEquals(case.texts("hints"), verdict.hints.map { it.text })
        }
    }

    @TestFactory
    fun `yes or no is Python's too`(): List<DynamicTest> = Golden.cases("binary").mapIndexed { number, case ->
        dynamicTest("outputs $number") {
            val outputs = Outputs(listOf("good", "ranks", "regions").associateWith { case.floats(it) })
            val verdict = decide(outputs, readSpec(case.text("spec"), "case $number")) as BinaryVerdict
            assertEquals(case.flag("retake"), verdict.retake)
            assertEquals(case.int("votes"), verdict.votes)
            assertEquals(case.primitives("bad").map { it.content == "true" }, verdict.regions.sortedBy { it.index }.map { it.bad })
        }
    }

    @Test
    fun `a poor photo names its bad regions, the worst first`() {
        val verdict = decideBinary(good = 0.2f, regions = floatArrayOf(0.9f, 0.3f, 0.1f))
        assertTrue(verdict.retake)
        assertEquals(listOf("right", "left"), verdict.hints.map { it.key })
        assertEquals(1, verdict.votes)
    }

    @Test
    fun `a poor photo without a bad region gets the model's own hint`() {
        val verdict = decideBinary(good = 0.2f, regions = floatArrayOf(0.9f, 0.8f, 0.7f))
        assertEquals(listOf(Hint("duke-iqa", "Take it again")), verdict.hints)
    }

    @Test
    fun `at its threshold a photo is good, and a region too`() {
        val verdict = decideBinary(good = 0.6f, regions = floatArrayOf(0.4f, 0.4f, 0.4f))
        assertFalse(verdict.retake)
        assertEquals(emptyList<Hint>(), verdict.hints)
        assertTrue(verdict.regions.none { it.bad })
    }

    @Test
    fun `an output that is missing, short or not finite is refused`() {
        val spec = readSpec(Examples.binary, "spec")
        for (good in listOf(floatArrayOf(), floatArrayOf(Float.NaN), null)) {
            val values = mapOf("good" to good, "ranks" to FloatArray(4), "regions" to FloatArray(3))
            val outputs = Outputs(values.mapNotNull { (name, numbers) -> numbers?.let { name to it } }.toMap())
            assertThrows(ModelFailed::class.java) { outputs.check(spec) }
        }
    }

    private fun decideBinary(good: Float, regions: FloatArray): BinaryVerdict {
        val values = mapOf("good" to floatArrayOf(good), "ranks" to floatArrayOf(0.9f, 0.4f, 0.2f, 0.1f), "regions" to regions)
        val spec = readSpec(Examples.binary, "spec")
        return decide(Outputs(values).check(spec), spec) as BinaryVerdict
    }
}
