package org.imageqx.runtime

import org.imageqx.core.picture.Pixels
import org.imageqx.core.verdict.LabelVerdict
import org.imageqx.core.verdict.Outputs
import org.imageqx.core.verdict.decide
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.TestFactory
import kotlin.math.abs

/** The choice with TensorFlow Lite's own GPU delegate, on an OpenCL that computes on the processor: see tools/checks/gpu.py. */
class GpuDelegateTest {
    private val files = list("imageqx.gpu.files")
    private val wrong = list("imageqx.gpu.wrong")

    @TestFactory
    fun `a file is run by the GPU if it is right there, and only then`(): List<DynamicTest> = files.map { path ->
        dynamicTest(path) {
            val gpu = Recorder(makeGpuRuntime())
            // What the processor runs is another file, as it may be too old for this one.
            val opened = openModel(ProvedAlone(path), FakeRuntime { gpu.answers[it] }, path, Accelerator(GPU, "test", gpu), FakeMemory(), Export::decode, SECONDS)
            val expected = Export.expected(Export.manifest.get(path))
            val distance = measure(expected, gpu.answers)
            val labels = expected.indices.count { label(path, expected[it]) != label(path, gpu.answers[it]) }
            println("report: $path on ${gpu.name}: max |Δ| $distance, $labels of ${expected.size} labels differ: ${opened.fallback ?: "used"}")
            assertEquals(expected.size, gpu.answers.size)
            if (path in wrong) {
                assertTrue(distance > 0.5 && labels > 0, "mended, so that more files may run there: $distance")
                assertTrue("off" in opened.fallback.orEmpty(), opened.fallback)
            } else {
                assertEquals(0, labels)
                assertTrue(distance < 0.15, "$distance")
                assertNull(opened.fallback)
            }
            opened.model.close()
        }
    }

    private companion object {
        /** A processor that plays a GPU is slow. */
        const val SECONDS = 600
    }

    private fun list(property: String) = System.getProperty(property).orEmpty().split(',').filter { it.isNotEmpty() }

    private fun label(path: String, outputs: Outputs) = (decide(outputs, Export.manifest.get(path).spec) as LabelVerdict).label

    private fun measure(wanted: List<Outputs>, got: List<Outputs>): Float = wanted.indices.maxOf { picture ->
        wanted[picture].names.maxOf { name ->
            wanted[picture][name].indices.maxOf { abs(wanted[picture][name][it] - got[picture][name][it]) }
        }
    }
}

/** A runtime that keeps what its models answer. */
private class Recorder(private val runtime: ModelRuntime) : ModelRuntime {
    val answers = mutableListOf<Outputs>()
    var name = ""
        private set
    override val format get() = runtime.format

    override fun open(file: ModelFile): QualityModel {
        val model = runtime.open(file)
        name = model.runtime
        return object : QualityModel by model {
            override fun run(pixels: Pixels): Outputs = model.run(pixels).also { answers += it }
        }
    }
}
