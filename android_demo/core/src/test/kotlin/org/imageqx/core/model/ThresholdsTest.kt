package org.imageqx.core.model

import org.imageqx.core.ThresholdsException
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory

class ThresholdsTest {
    private val labels = readSpec(Examples.labels, "spec")
    private val binary = readSpec(Examples.binary, "spec")

    @Test
    fun `what a clinic names takes the spec's place, and the rest stays`() {
        val answer = labels.with("""{"schema_version": 1, "reasons": {"blurry": 0.75}, "chosen": {"by": "us"}}""").answer as Answer.Labels
        assertEquals(0.75, answer.reasons.single().threshold)
        assertEquals(0.5, answer.poorThreshold)
    }

    @Test
    fun `null means the likeliest label holds`() {
        assertNull((labels.with("""{"schema_version": 1, "poor_quality": null}""").answer as Answer.Labels).poorThreshold)
    }

    @Test
    fun `a binary decision has thresholds of its own`() {
        val answer = binary.with("""{"schema_version": 2, "good": 0.9, "regions": 0.1}""").answer as Answer.Binary
        assertEquals(0.9, answer.threshold)
        assertEquals(0.1, answer.regions?.threshold)
    }

    @TestFactory
    fun `refuses files that do not fit`(): List<DynamicTest> = listOf(
        labels to """{"schema_version": 1, "reason": {}}""",
        labels to """{"schema_version": 3}""",
        labels to """{"reasons": {}}""",
        labels to """{"schema_version": 1, "reasons": {"blury": 0.5}}""",
        labels to """{"schema_version": 1, "reasons": {"blurry": 1.5}}""",
        labels to """{"schema_version": 2, "good": 0.5}""",
        labels to """{"schema_version": 1, "good": 0.5}""",
        binary to """{"schema_version": 2, "poor_quality": 0.5}""",
        binary to """{"schema_version": 2, "reasons": {"blurry": 0.5}}""",
        labels to """[]""",
        labels to """{"schema_version": 1""",
    ).map { (spec, text) ->
        dynamicTest("$text for ${spec.name}") { assertThrows(ThresholdsException::class.java) { spec.with(text) } }
    }

    private fun ModelSpec.with(text: String) = withThresholds(readThresholds(text, "thresholds.json"), "thresholds.json")
}
