package org.imageqx.runtime

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** An app, or a phone, without the library for GPUs: the delegate's own classes, on TensorFlow Lite's library for processors. */
class GpuMissingTest {
    @Test
    fun `the processor is used, and it is said why`() {
        val path = Export.files("tflite").first { it.precision == "fp32" }.path
        val memory = FakeMemory()
        val opened = openModel(ProvedAlone(path), TfliteRuntime(1), path, Accelerator(GPU, "test", makeGpuRuntime()), memory, Export::decode)
        assertTrue("UnsatisfiedLinkError" in opened.fallback.orEmpty(), opened.fallback)
        assertEquals(1, memory.values.size)
        opened.model.use { model ->
            assertTrue("1 threads" in model.runtime, model.runtime)
            val got = model.run(Export.pixels(Export.pictures[0]))["quality"]
            val wanted = Export.expected(Export.manifest.get(path))[0]["quality"]
            wanted.indices.forEach { assertEquals(wanted[it], got[it], 1e-4f) }
        }
    }
}
