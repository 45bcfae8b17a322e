package org.imageqx.runtime

import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test


/** Needs the native library of TensorFlow Lite: see android_demo/tools/tflite. */
class TfliteRuntimeTest : GoldenContract(TfliteRuntime(threads = 1)) {
    /** Version 2.16.1 computes integers with its built-in kernels, which round twice: see docs/int8.md. */
    override val refused = setOf("w8a8")

    @Test
    fun `what is refused deserves it`() {
        val times = measureUnasked(TfliteRuntime(threads = 1, library = "a runtime that no file names"), "w8a8")
        println("report: w8a8 unasked: $times times the tolerance")
        assertTrue(times > 1, "mended, so that min_runtime may name this version: $times")
    }
}
