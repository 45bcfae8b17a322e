package org.imageqx.runtime

import org.imageqx.core.ModelFailed
import org.imageqx.core.verdict.Outputs
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class AcceleratorTest {
    private val source = ProvedAlone()
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
            { throw NoClassDefFoundError("org/tensorflow/lite/gpu/GpuDelegateFactory\$Options") },
        )
        for ((number, answer) in broken.withIndex()) {
            assertTrue(open(FakeRuntime(answer = answer), identity = "driver $number").fallback!!.isNotEmpty())
        }
    }

    @Test
    fun `one that is too slow is not`() {
        val gpu = Accelerator(GPU, "1", FakeRuntime { expected[it].also { Thread.sleep(2) } })
        val opened = openModel(source, processor, proved.path, gpu, memory, Export::decode, seconds = 0)
        assertEquals("gpu: it takes longer than 0 seconds", opened.fallback)
    }

    @Test
    fun `one that crashed the app is not tried again`() {
        class Crash : Error()
        assertThrows(Crash::class.java) { open(FakeRuntime { throw Crash() }) }
        assertEquals(listOf("asked, no answer"), memory.values.toList())
        assertEquals("gpu: it crashed in the self-test", open(FakeRuntime { expected[it] }).fallback)
    }

    @Test
    fun `a full memory is not remembered`() {
        val fallback = open(FakeRuntime { throw OutOfMemoryError("Java heap space") }).fallback
        assertTrue("the memory is full" in fallback.orEmpty(), fallback)
        assertEquals(emptyList<String>(), memory.values.toList())
        assertNull(open(FakeRuntime { expected[it] }).fallback)
        assertTrue("the memory is full" in open(FakeRuntime(onOpen = { throw OutOfMemoryError() }) { expected[it] }).fallback.orEmpty())
        assertEquals(listOf("passed"), memory.values.toList())
    }

    @Test
    fun `one that is hindered now is not asked`() {
        val gpu = FakeRuntime { expected[it] }
        val low = Accelerator(GPU, "1", gpu, obstacle = "the phone's memory is low")
        val opened = openModel(source, processor, proved.path, low, memory, Export::decode)
        assertEquals("gpu: the phone's memory is low", opened.fallback)
        assertEquals(0, gpu.opened)
        assertTrue(memory.values.isEmpty())
    }

    @Test
    fun `one that gives no answer to a photo later is left, and the processor answers`() {
        val gpu = FakeRuntime { if (it < Export.pictures.size) expected[it] else throw ModelFailed("model", "the context is lost") }
        val opened = open(gpu)
        assertNull(opened.fallback)
        val pixels = Export.pixels(Export.pictures[0])
        repeat(2) { assertEquals(expected[0], opened.model.run(pixels)) }
        assertEquals("gpu: the context is lost", opened.fallback)
        assertEquals(listOf(1, 1), listOf(gpu.closed, processor.opened))
    }

    @Test
    fun `where a person chose the processor no accelerator is asked, and what it said is kept`() {
        val gpu = FakeRuntime { expected[it] }
        assertNull(open(gpu).fallback)
        val kept = memory.values.toList()
        val opened = openModel(source, processor, proved.path, accelerator = null, memory, Export::decode)
        assertNull(opened.fallback)
        assertEquals(expected[0], opened.model.run(Export.pixels(Export.pictures[0])))
        assertEquals(listOf(1, 1), listOf(gpu.opened, processor.opened))
        assertEquals(kept, memory.values.toList())
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
