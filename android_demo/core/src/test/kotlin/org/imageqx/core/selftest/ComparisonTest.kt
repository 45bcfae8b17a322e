package org.imageqx.core.selftest

import org.imageqx.core.ModelDamaged
import org.imageqx.core.UnknownSchemaVersion
import org.imageqx.core.model.Examples
import org.imageqx.core.model.readSpec
import org.imageqx.core.verdict.Outputs
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ComparisonTest {
    private val labels = readSpec(Examples.labels, "spec")
    private val binary = readSpec(Examples.binary, "spec")
    private val tolerance = Tolerance(maxAbs = 0.15f, agreement = 0.98, margin = 0.05f)

    @Test
    fun `small differences pass`() {
        val result = compareLabels(poor = 0.9f, gotPoor = 0.8f)
        assertEquals(0.1f, (result as SelfTestResult.Passed).maxAbs, 1e-6f)
    }

    @Test
    fun `a number that is too far off fails`() {
        val why = (compareLabels(poor = 0.9f, gotPoor = 0.7f) as SelfTestResult.Failed).why
        assertTrue("quality" in why, why)
    }

    @Test
    fun `another label fails where PyTorch was sure, and passes where it was not`() {
        assertInstanceOf(SelfTestResult.Failed::class.java, compareLabels(poor = 0.56f, gotPoor = 0.45f))
        assertInstanceOf(SelfTestResult.Passed::class.java, compareLabels(poor = 0.54f, gotPoor = 0.45f))
    }

    @Test
    fun `NaN fails`() {
        assertInstanceOf(SelfTestResult.Failed::class.java, compareLabels(poor = 0.9f, gotPoor = Float.NaN))
    }

    @Test
    fun `a binary decision is held to its threshold`() {
        fun outputs(good: Float) =
            Outputs(mapOf("good" to floatArrayOf(good), "ranks" to FloatArray(4), "regions" to FloatArray(3)))
        fun result(good: Float, got: Float) = compare(binary, listOf(outputs(good)), listOf(outputs(got)), tolerance)
        assertInstanceOf(SelfTestResult.Failed::class.java, result(0.7f, 0.59f))
        assertInstanceOf(SelfTestResult.Passed::class.java, result(0.7f, 0.61f))
    }

    @Test
    fun `reads what an export writes`() {
        val text = """{"schema_version": 1, "pictures": ["00.png"], "expectations": {"w8a8": {"outputs": "expected_w8a8.json",
            "tolerance": {"max_abs": 0.15, "agreement": 0.98, "margin": 0.05}}}}"""
        assertEquals(Expectation("expected_w8a8.json", tolerance), readSelfTest(text, "self_test.json").expectations["w8a8"])
        val newer = text.replace("\"schema_version\": 1", "\"schema_version\": 2")
        assertThrows(UnknownSchemaVersion::class.java) { readSelfTest(newer, "self_test.json") }
        val outputs = readExpectedOutputs("""{"00.png": {"attention": [[[1, 2], [3, 4.5]]]}}""", "expected.json")
        assertEquals(listOf(1f, 2f, 3f, 4.5f), outputs.getValue("00.png")["attention"].asList())
    }

    @Test
    fun `refuses expected outputs that are none`() {
        for (text in listOf("[]", "{\"a\": 1}", "{\"a\": {\"b\": [\"x\"]}}", "{")) {
            assertThrows(ModelDamaged::class.java, { readExpectedOutputs(text, "expected.json") }, text)
        }
    }

    private fun compareLabels(poor: Float, gotPoor: Float): SelfTestResult {
        fun outputs(poor: Float) = Outputs(
            mapOf("quality" to floatArrayOf(0.5f, poor), "explanations" to floatArrayOf(0f), "attention" to FloatArray(49)),
        )
        return compare(labels, listOf(outputs(poor)), listOf(outputs(gotPoor)), tolerance)
    }
}
