package org.imageqx.demo.screens

import android.content.Intent
import android.os.Bundle
import org.imageqx.demo.bench.BenchReply
import org.imageqx.demo.bench.BenchRequest
import org.imageqx.demo.bench.BenchService
import org.imageqx.demo.bench.Sample
import org.imageqx.demo.bench.Schedule
import org.imageqx.demo.bench.readPeakMemory
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import java.io.File

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApplication::class)
internal class BenchServiceTest {
    private val app = RuntimeEnvironment.getApplication() as TestApplication
    private val schedule = Schedule(warmupRuns = 1, warmupSeconds = 0.0, runs = 6, seconds = 0.0, processes = 2, threads = 3)
    private val request = BenchRequest("imageqx_w8.tflite", schedule, memory = false)

    private fun <T> withService(use: (BenchService) -> T): T {
        val controller = Robolectric.buildService(BenchService::class.java, Intent()).create().bind()
        return use(controller.get()).also { controller.unbind().destroy() }
    }

    @Test
    fun timesItsShareAndEndsItsProcess() {
        var runs = 0
        app.inference = { runs += 1 }
        val reply = withService { it.answer(request) } as BenchReply.Timed
        assertEquals(3, reply.sample.seconds.size)
        assertEquals(1 + 1 + 3, runs)
        assertEquals(1, app.ended)
    }

    @Test
    fun whatARuntimeThrowsIsTheAnswer() {
        app.inference = { throw IllegalArgumentException("x".repeat(1000)) }
        val failed = withService { it.answer(request) } as BenchReply.Failed
        assertTrue(failed.message, failed.message.startsWith("IllegalArgumentException: xxx") && failed.message.length == 300)
        app.inference = { throw UnsatisfiedLinkError("no native library") }
        assertEquals(BenchReply.Failed("UnsatisfiedLinkError: no native library"), withService { it.answer(request) })
        app.inference = { throw OutOfMemoryError() }
        assertEquals(BenchReply.Failed("the memory is full"), withService { it.answer(request) })
    }

    @Test
    fun messagesComeThroughABundle() {
        assertEquals(request, BenchRequest.read(request.toBundle()))
        val sample = Sample(0.1, 0.2, listOf(0.3, 0.4), 5.0, null, 31.5)
        for (reply in listOf(BenchReply.Timed(sample), BenchReply.Memory(7), BenchReply.Memory(null), BenchReply.Failed("why"))) {
            assertEquals(reply, BenchReply.read(reply.toBundle()))
        }
        assertEquals(BenchReply.Failed("an empty answer"), BenchReply.read(Bundle()))
    }

    @Test
    fun readsTheLargestMemoryThatLinuxTells() {
        val status = File.createTempFile("status", null).apply { writeText("Name:\tx\nVmHWM:\t   61004 kB\nVmRSS:\t 1 kB\n") }
        assertEquals(61_004L * 1024, readPeakMemory(status))
        assertEquals(null, readPeakMemory(File("/nowhere")))
    }
}
