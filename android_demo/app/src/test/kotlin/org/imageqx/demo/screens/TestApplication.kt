package org.imageqx.demo.screens

import android.app.Application
import android.content.Context
import android.content.RestrictionsManager
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import org.imageqx.demo.Settings
import org.imageqx.demo.Tools
import org.imageqx.demo.ToolsSource
import org.imageqx.demo.assess.Assessor
import org.imageqx.demo.assess.AssessorSlot
import org.imageqx.demo.assess.FramePixels
import org.imageqx.demo.bench.BenchModel
import org.imageqx.demo.bench.BenchPhone
import org.imageqx.demo.bench.BenchSource
import org.imageqx.demo.bench.Clock
import org.imageqx.demo.bench.Machine
import org.imageqx.demo.bench.RunFacts
import org.imageqx.demo.bench.RunProvider
import org.imageqx.demo.bench.Sample
import org.imageqx.demo.bench.Schedule
import org.imageqx.demo.bench.SpeedMeter
import org.imageqx.demo.photo.PhotoDecoder
import org.imageqx.demo.photo.PhotoStore
import org.imageqx.demo.service
import org.imageqx.demo.state.Advice
import org.imageqx.demo.state.Assessment
import org.imageqx.demo.state.Computing
import org.imageqx.demo.state.Engine
import org.robolectric.Shadows.shadowOf
import java.io.File
import java.util.concurrent.AbstractExecutorService
import java.util.concurrent.TimeUnit

/** Work that waits until a test lets it run. */
internal class ManualExecutor : AbstractExecutorService() {
    private val waiting = ArrayDeque<Runnable>()
    private var down = false
    val isBusy: Boolean
        get() = waiting.isNotEmpty()

    override fun execute(command: Runnable) {
        waiting += command
    }

    fun runOne() {
        waiting.removeFirstOrNull()?.run()
    }

    fun runAll() {
        while (waiting.isNotEmpty()) waiting.removeFirst().run()
    }

    override fun shutdown() {
        down = true
    }

    override fun shutdownNow(): MutableList<Runnable> = waiting.toMutableList().also { waiting.clear() }

    override fun isShutdown() = down

    override fun isTerminated() = down && waiting.isEmpty()

    override fun awaitTermination(timeout: Long, unit: TimeUnit) = isTerminated
}

/** An answer that a test chooses; a problem in place of it where there is one. */
internal class FakeAssessor : Assessor {
    var answer = Assessments.good
    var computing = Computing.ANY
    var error: Throwable? = null

    /** Decodes each photo before it is answered, where there is one. */
    var decoder: PhotoDecoder? = null
    var photos = 0
    var closed = false

    override fun assess(photo: ByteArray): Assessment {
        photos += 1
        error?.let { throw it }
        decoder?.decode(photo, SIDE)?.bitmap?.recycle()
        return answer
    }

    override fun advise(frame: FramePixels, now: Long): Advice = Advice.Good

    override fun describeEngine() = Engine(
        "TensorFlow Lite 2.16.1, 2 threads",
        "gpu: explanations is 0.98 off, 0.05 is allowed".takeIf { computing == Computing.ANY },
    )

    override fun close() {
        closed = true
    }

    private companion object {
        /** What ImageQX's spec has the app ask of a decoder. */
        const val SIDE = 336
    }
}

/** A phone that measures at once. */
internal object FakePhone : BenchPhone {
    override fun sample(model: BenchModel, schedule: Schedule) =
        Sample(0.05, 0.02, listOf(0.0061, 0.0064, 0.0072), 1_700_000_000.0, 31.0, 33.5)

    override fun measurePeakMemory(model: BenchModel, schedule: Schedule) = 61_000_000L

    override fun isHot() = false

    override fun rest() = Unit
}

internal object FakeClock : Clock {
    override fun nanos() = 0L

    override fun wall() = 1_700_000_000.0
}

/** The app with parts that a test holds. */
internal class TestApplication : Application(), ToolsSource, BenchSource {
    val assessor = FakeAssessor()
    val background = ManualExecutor()
    var inference: () -> Unit = {}

    /** What opening the model does first. */
    var onOpen: () -> Unit = {}

    /** What might compute, of each time that a model was opened. */
    val opened = mutableListOf<Computing>()
    var ended = 0
    override val schedule = Schedule()

    override fun makeTools(): Tools {
        val main = Handler(Looper.getMainLooper())
        val facts = RunFacts(
            Machine("Fake Phone", 8, "arm64-v8a", "Android 15 (API 35)"),
            mapOf("tensorflow-lite" to "2.16.1"),
            "c".repeat(64),
            listOf(
                BenchModel("imageqx_fp32.tflite", "a".repeat(64), "tflite", "fp32", 16_074_062),
                BenchModel("imageqx_w8.tflite", "b".repeat(64), "tflite", "w8", 4_548_145),
            ),
        )
        val meter = SpeedMeter(schedule, FakePhone, { facts }, RunProvider.fileOf(this), background, FakeClock)
        val settings = Settings(this)
        val slot = AssessorSlot {
            onOpen()
            opened += settings.computing
            assessor.apply { computing = settings.computing }
        }
        return Tools(slot, settings, PhotoStore(File(cacheDir, "photos")), meter, { main.post(it) }, background)
    }

    override fun loadInference(file: String, threads: Int): () -> Unit = inference

    override fun endProcess() {
        ended += 1
    }
}

/** Sets what an administrator may set. */
internal fun manageProcessor(app: Application, processor: Boolean) = shadowOf(app.service<RestrictionsManager>())
    .setApplicationRestrictions(Bundle().apply { putBoolean("use_processor", processor) })

/** Takes back what a person, or an administrator, chose. */
internal fun forgetSettings(app: Application) {
    app.getSharedPreferences("settings", Context.MODE_PRIVATE).edit().clear().commit()
    manageProcessor(app, false)
}
