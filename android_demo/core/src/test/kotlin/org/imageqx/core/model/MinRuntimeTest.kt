package org.imageqx.core.model

import org.imageqx.core.RuntimeTooOld
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class MinRuntimeTest {
    private val spec = readSpec(Examples.binary.replaceFirst("{", "{\"min_runtime\": {\"litert\": \"1.10\", \"tflite-runtime\": null},"), "a")

    @Test
    fun `versions are compared as numbers`() {
        for (version in listOf("1.10.0", "1.10", "1.11.0-rc1", "2.0", "10.0")) spec.checkRuntime("litert", version, "a")
        for (version in listOf("1.9.9", "1.2", "0.20", "")) {
            val error = assertThrows(RuntimeTooOld::class.java, { spec.checkRuntime("litert", version, "a") }, version)
            assertEquals("litert 1.10 or newer", error.expected)
        }
    }

    @Test
    fun `a runtime without any right version is refused, and another one named`() {
        val error = assertThrows(RuntimeTooOld::class.java) { spec.checkRuntime("tflite-runtime", "99.0", "w8a8.tflite") }
        assertEquals("litert 1.10 or newer", error.expected)
        assertTrue("w8a8.tflite" in error.message.orEmpty())
    }

    @Test
    fun `what nobody asked is not refused, nor by specs of before`() {
        spec.checkRuntime("onnxruntime", "0.1", "a")
        for (old in listOf(Examples.labels, Examples.binary)) readSpec(old, "a").checkRuntime("tflite-runtime", "0.1", "a")
    }
}
