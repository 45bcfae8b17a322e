package org.imageqx.runtime

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.imageqx.core.ModelFailed
import org.imageqx.core.verdict.Outputs
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer

/** The export, as if its first .tflite had been proved right on a GPU; a fresh export may have no proofs yet. */
private object ProvedExport : ArtifactSource {
    private val text = Export.source.readText("manifest.json")
    private val manifest = Json.parseToJsonElement(text).jsonObject
    private val proof = Json.parseToJsonElement(
        """[{"target": "gpu", "chips": ["any"], "verdict": "right", "whole": true, "tool": "a test"}]""",
    )

    override fun read(path: String): ByteBuffer = if (path == "manifest.json") prove() else Export.source.read(path)

    private fun prove(): ByteBuffer {
        val artifacts = manifest.getValue("artifacts").jsonArray.map { artifact ->
            val isTflite = artifact.jsonObject.getValue("format").jsonPrimitive.content == "tflite"
            JsonObject(artifact.jsonObject + ("proofs" to if (isTflite) proof else JsonArray(emptyList())))
        }
        val text = JsonObject(manifest + ("artifacts" to JsonArray(artifacts))).toString()
        return ByteBuffer.wrap(text.toByteArray())
    }
}

class AcceleratorTest {
    private val source = ProvedExport
    private val proved = requireNotNull(source.readManifest().chooseFor("tflite", "gpu"))
    private val expected = Export.expected(proved)
    private val memory = FakeMemory()
    private val processor = FakeRuntime { expected[0] }

    @Test
    fun `an accelerator that answers as PyTorch is used, and asked once`() {
        val gpu = FakeRuntime { expected[it] }
        assertNull(open(gpu).fallback)
        assertEquals(Export.pictures.size, gpu.asked)
        assertNull(open(gpu).fallback)
        assertEquals(Export.pictures.size, gpu.asked)
        assertEquals(0, processor.opened)
    }

    @Test
    fun `one that answers otherwise is not, ever again`() {
        val gpu = FakeRuntime { expected[(it + 1) % expected.size] }
        repeat(2) { assertTrue("off" in open(gpu).fallback.orEmpty()) }
        assertEquals(1, gpu.opened)
        assertEquals(1, gpu.closed)
        assertEquals(2, processor.opened)
    }

    @Test
    fun `one that answers NaN, throws or cannot be made is not`() {
        val broken = listOf<(Int) -> Outputs>(
            { Outputs(expected[it].names.associateWith { name -> FloatArray(expected[0][name].size) { Float.NaN } }) },
            { throw ModelFailed("model", "a native error") },
            { throw IllegalStateException("no such delegate") },
            { throw UnsatisfiedLinkError("no library") },
        )
        for ((number, answer) in broken.withIndex()) {
            assertTrue(open(FakeRuntime(answer = answer), identity = "driver $number").fallback!!.isNotEmpty())
        }
    }

    @Test
    fun `one that crashed the app is not tried again`() {
        class Crash : Error()
        assertThrows(Crash::class.java) { open(FakeRuntime { throw Crash() }) }
        assertEquals(listOf("asked, no answer"), memory.values.toList())
        assertEquals("gpu: it crashed in the self-test", open(FakeRuntime { expected[it] }).fallback)
    }

    @Test
    fun `a new driver is asked again`() {
        assertTrue(open(FakeRuntime { throw ModelFailed("model", "old driver") }).fallback != null)
        assertNull(open(FakeRuntime { expected[it] }, identity = "driver 2").fallback)
    }

    @Test
    fun `what no file was proved on is not asked`() {
        val npu = FakeRuntime { expected[it] }
        val opened = openModel(source, processor, proved.path, Accelerator("ethos-u", "1", npu), memory, Export::decode)
        assertEquals("no file was proved right on ethos-u", opened.fallback)
        assertEquals(0, npu.opened)
    }

    private fun open(gpu: FakeRuntime, identity: String = "driver 1"): OpenedModel =
        openModel(source, processor, proved.path, Accelerator("gpu", identity, gpu), memory, Export::decode)
}
