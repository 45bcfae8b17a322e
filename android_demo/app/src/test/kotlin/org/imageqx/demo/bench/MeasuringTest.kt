package org.imageqx.demo.bench

import org.imageqx.demo.state.Quartiles
import org.imageqx.demo.state.SpeedProgress
import org.imageqx.demo.state.SpeedRow
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.File
import kotlin.io.path.createTempDirectory

/** A clock that goes on only when work says so. */
private class HandClock : Clock {
    var now = 0L

    override fun nanos() = now

    override fun wall() = 1_700_000_000.0 + now / 1e9
}

internal class TimingTest {
    private val clock = HandClock()
    private var runs = 0

    private fun time(schedule: Schedule, millis: (Int) -> Long): Sample = time(schedule, clock, { 30.5 }) {
        clock.now += 50_000_000
        return@time {
            clock.now += millis(runs) * 1_000_000
            runs += 1
        }
    }

    @Test
    fun keepsTheFirstInferenceAndTheWarmUpApart() {
        val schedule = Schedule(warmupRuns = 3, warmupSeconds = 0.0, runs = 20, seconds = 0.0, processes = 4)
        val sample = time(schedule) { if (it == 0) 40 else if (it <= 3) 20 else 5 }
        assertEquals(0.05, sample.loadSeconds)
        assertEquals(0.04, sample.firstSeconds)
        assertEquals(List(5) { 0.005 }, sample.seconds)
        assertEquals(listOf(30.5, 30.5), listOf(sample.temperatureBefore, sample.temperatureAfter))
    }

    @Test
    fun goesOnUntilRunsAndSecondsAreBothReached() {
        val schedule = Schedule(warmupRuns = 0, warmupSeconds = 0.1, runs = 10, seconds = 10.0, processes = 10)
        val sample = time(schedule) { 7 }
        assertEquals(143, sample.seconds.size)
        assertEquals(1 + 15 + 143, runs)
    }

    @Test
    fun sharesAreRoundedUp() {
        assertEquals(4, Schedule(runs = 10, processes = 3).runsEach)
        assertEquals(listOf("a", "b", "a", "b"), interleave(listOf("a", "b"), 2))
    }
}

internal class MeasureTest {
    private val models = listOf("fp32", "w8").map { BenchModel("imageqx_$it.tflite", "a".repeat(64), "tflite", it, 9) }
    private val schedule = Schedule(processes = 3)
    private val asked = mutableListOf<String>()
    private val heard = mutableListOf<Triple<Int, Int, Boolean>>()

    private open inner class Phone : BenchPhone {
        var hot = 0

        override fun sample(model: BenchModel, schedule: Schedule): Sample {
            asked += model.precision
            return Sample(0.1, 0.02, listOf(0.005, 0.006), 1.0)
        }

        override fun measurePeakMemory(model: BenchModel, schedule: Schedule): Long? = 60_000_000

        override fun isHot() = hot > 0

        override fun rest() {
            hot -= 1
        }
    }

    private fun run(phone: BenchPhone, stopped: () -> Boolean = { false }) =
        measure(models, schedule, phone, { done, all, waiting -> heard += Triple(done, all, waiting) }, stopped)

    @Test
    fun modelsTakeTurnsInFreshProcesses() {
        val found = run(Phone())!!
        assertEquals(listOf("fp32", "w8", "fp32", "w8", "fp32", "w8"), asked)
        assertEquals(listOf(3, 3), found.map { it.samples.size })
        assertEquals(Triple(7, 8, false), heard.last())
    }

    @Test
    fun aModelThatFailsDoesNotStopTheOther() {
        val found = run(
            object : Phone() {
                override fun sample(model: BenchModel, schedule: Schedule): Sample {
                    if (model.precision == "w8") throw BenchFailedException("no such kernel")
                    return super.sample(model, schedule)
                }

                override fun measurePeakMemory(model: BenchModel, schedule: Schedule) = throw BenchFailedException("gone")
            },
        )!!
        assertEquals("no such kernel", found[1].unavailable)
        assertEquals(3, found[0].samples.size)
        assertEquals(listOf("peak memory: gone"), found[0].notes)
    }

    @Test
    fun waitsWhileThePhoneIsHot() {
        run(Phone().apply { hot = 2 })
        assertEquals(listOf(true, true, false), heard.take(3).map { it.third })
    }

    @Test
    fun stopsWhenThePersonHasHadEnough() {
        assertNull(run(Phone()) { asked.size == 2 })
        assertEquals(2, asked.size)
        assertNull(run(Phone().apply { hot = Int.MAX_VALUE }) { heard.size > 5 })
    }
}

internal class BenchRunTest {
    private val model = BenchModel("imageqx_w8.tflite", "b".repeat(64), "tflite", "w8", 4_548_145)
    private val other = BenchModel("imageqx_fp32.tflite", "a".repeat(64), "tflite", "fp32", 16_074_062)
    private val sample = Sample(0.05, 0.02, listOf(0.006, 0.007, 0.009, 0.007), 1_700_000_000.5, 31.0, null)
    private val run = BenchRun(
        "20261130T120000Z-0123456789ab",
        1_700_000_000.0,
        Machine("Fake Phone", 8, "arm64-v8a", "Android 15 (API 35)", mapOf("chip" to "a \"quoted\" chip")),
        Schedule(),
        mapOf("tensorflow-lite" to "2.16.1"),
        "c".repeat(64),
        listOf(Measurement(model, listOf(sample), 61_000_000), Measurement(other, emptyList(), unavailable = "the memory is full")),
    )

    /** The driver reads what this writes as `imageqx bench --import` does. */
    @Test
    fun writesWhatTheCommandReads() {
        val text = run.toJson()
        assertTrue("\"temperature_after\":null" in text, text)
        System.getProperty("imageqx.run")?.let { File(it).apply { parentFile?.mkdirs() }.writeText(text) }
    }

    @Test
    fun sumsUpAsNumpyDoes() {
        assertEquals(
            listOf(SpeedRow(model.file, Quartiles(6.75, 7.0, 7.5), null), SpeedRow(other.file, null, "the memory is full")),
            run.summarize().map { row ->
                row.copy(quartiles = row.quartiles?.run { Quartiles(round(low), round(middle), round(high)) })
            },
        )
    }

    private fun round(value: Double) = Math.round(value * 1e6) / 1e6

    @Test
    fun aMeterReportsAndWritesItsRunAndForgetsAStoppedOne() {
        val file = File(createTempDirectory().toFile(), "run.json")
        val work = ArrayDeque<Runnable>()
        val phone = object : BenchPhone {
            override fun sample(model: BenchModel, schedule: Schedule) = sample

            override fun measurePeakMemory(model: BenchModel, schedule: Schedule) = null

            override fun isHot() = false

            override fun rest() = Unit
        }
        val facts = RunFacts(run.machine, run.toolVersions, run.checkpointSha256, listOf(model))
        val meter = SpeedMeter(Schedule(processes = 2), phone, { facts }, file, { work += it }, HandClock())
        val heard = mutableListOf<SpeedProgress>()
        meter.start { heard += it }
        meter.stop()
        meter.start { heard += it }
        while (work.isNotEmpty()) work.removeFirst().run()
        assertEquals(1, heard.count { it is SpeedProgress.Done })
        assertEquals(SpeedProgress.Running(0, 3), heard.first())
        assertTrue("20231114T221320Z-" in file.readText())
    }
}
