package org.imageqx.runtime

import org.imageqx.core.ModelDamaged
import org.imageqx.core.RuntimeTooOld
import org.imageqx.core.model.Artifact
import org.imageqx.core.picture.ArgbPicture
import org.imageqx.core.verdict.LabelVerdict
import org.imageqx.core.verdict.Outputs
import org.imageqx.core.verdict.decide
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.TestInstance
import java.nio.ByteBuffer
import kotlin.math.abs

/** What every runtime must do with the exported files: the numbers and verdicts of PyTorch, on every golden picture. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class GoldenContract(private val runtime: ModelRuntime) {
    /** The precisions whose files say that this runtime is too old for them. */
    protected open val refused: Set<String> = emptySet()

    private val all = Export.files(runtime.format)
    private val files: List<Artifact> get() = all.filter { it.precision !in refused }
    private val answers = mutableMapOf<String, List<Outputs>>()

    @TestFactory
    fun `numbers are PyTorch's`(): List<DynamicTest> = files.map { file ->
        dynamicTest(file.path) {
            val distance = measure(file, Export.expected(file))
            println("report: ${file.path}: max |Δ| $distance")
            val limit = TOLERANCES.getValue(file.precision)
            assertTrue(distance <= limit, "$distance > $limit")
        }
    }

    @TestFactory
    fun `what is right elsewhere alone is refused`(): List<DynamicTest> = all.filter { it.precision in refused }.map { file ->
        dynamicTest(file.path) { assertThrows(RuntimeTooOld::class.java) { open(file).close() } }
    }

    @TestFactory
    fun `verdicts are PyTorch's`(): List<DynamicTest> = files.map { file ->
        dynamicTest(file.path) {
            val wanted = Export.expected(file).map { decide(it, file.spec) as LabelVerdict }
            val got = run(file).map { decide(it, file.spec) as LabelVerdict }
            val differing = wanted.indices.filter { wanted[it].label != got[it].label || wanted[it].given() != got[it].given() }
            println("report: ${file.path}: ${differing.size} of ${wanted.size} verdicts differ")
            assertEquals(emptyList<Int>(), differing)
        }
    }

    @TestFactory
    fun `the file's own spec is the manifest's`(): List<DynamicTest> = files.map { file ->
        dynamicTest(file.path) { open(file).use { assertEquals(file.spec, it.spec) } }
    }

    @Test
    fun `red and blue changed places are found`() {
        val file = files.first { it.precision == "fp32" }
        val swapped = open(file).use { model ->
            Export.pictures.map { name ->
                val pixels = Export.pixels(name)
                for (i in pixels.bytes.indices step 3) pixels.bytes[i] = pixels.bytes[i + 2].also { pixels.bytes[i + 2] = pixels.bytes[i] }
                model.run(pixels)
            }
        }
        assertTrue(measure(swapped, Export.expected(file)) > TOLERANCES.getValue("fp32"))
    }

    @Test
    fun `a photo's answer does not depend on the one before`() {
        open(files.first()).use { model ->
            val (first, second) = Export.pictures.take(2).map { Export.pixels(it) }
            val alone = model.run(first)["quality"].asList()
            assertNotEquals(alone, model.run(second)["quality"].asList())
            assertEquals(alone, model.run(first)["quality"].asList())
        }
    }

    @Test
    fun `a photo is assessed from picture to verdict`() {
        val file = files.first { it.precision == "fp32" }
        PhotoAssessor(open(file)).use { assessor ->
            for ((name, wanted) in Export.pictures.zip(Export.expected(file))) {
                val assessment = assessor.assess(Export.picture(name))
                assertEquals((decide(wanted, file.spec) as LabelVerdict).label, (assessment.verdict as LabelVerdict).label)
                assertEquals(5, assessment.maps.size)
            }
        }
    }

    @Test
    fun `a tiny photo is told to be one`() {
        val file = files.first { it.precision == "fp32" }
        PhotoAssessor(open(file)).use { assessor ->
            for ((width, height) in listOf(1 to 1, 2 to 300, 12 to 16)) {
                val skin = IntArray(width * height) { 0xFFC08868.toInt() }
                val verdict = assessor.assess(ArgbPicture(width, height, skin, isOpaque = true)).verdict
                assertTrue(verdict.retake, "$width × $height")
                assertTrue(verdict.hints.any { it.key == "low_resolution" }, "$width × $height: ${verdict.hints.map { it.key }}")
            }
        }
    }

    @Test
    fun `a file that is cut off or none is damaged`() {
        val bytes = Export.source.read(files.first().path)
        for (size in listOf(0, 1000, bytes.limit() / 2)) {
            val cut = ByteBuffer.allocateDirect(size).apply { put(bytes.duplicate().apply { limit(size) }) }
            cut.rewind()
            assertThrows(ModelDamaged::class.java, { runtime.open(ModelFile("cut", cut)) }, "$size bytes")
        }
    }

    private fun open(file: Artifact): QualityModel = runtime.open(Export.source.readModel(Export.manifest, file.path))

    private fun run(file: Artifact): List<Outputs> = answers.getOrPut(file.path) {
        open(file).use { model -> Export.pictures.map { model.run(Export.pixels(it)) } }
    }

    /** Returns how far a runtime that does not ask a file's `min_runtime` is from PyTorch, as a share of the tolerance. */
    protected fun measureUnasked(runtime: ModelRuntime, precision: String): Float {
        val file = all.first { it.precision == precision }
        val got = runtime.open(Export.source.readModel(Export.manifest, file.path)).use { model ->
            Export.pictures.map { model.run(Export.pixels(it)) }
        }
        return measure(got, Export.expected(file)) / TOLERANCES.getValue(precision)
    }

    private fun measure(file: Artifact, wanted: List<Outputs>): Float = measure(run(file), wanted)

    private fun measure(got: List<Outputs>, wanted: List<Outputs>): Float = wanted.indices.maxOf { picture ->
        wanted[picture].names.maxOf { name ->
            val numbers = wanted[picture][name]
            numbers.indices.maxOf { abs(numbers[it] - got[picture][name][it]) }
        }
    }

    private fun LabelVerdict.given() = reasons.filter { it.given }.map { it.name }.toSet()

    private companion object {
        /** What a conversion may change: `TOLERANCES` in imageqx_export/parity/compare.py. */
        val TOLERANCES = mapOf("fp32" to 1e-4f, "fp16" to 5e-3f, "w8" to 1e-2f, "w8a8" to 1e-2f)
    }
}
