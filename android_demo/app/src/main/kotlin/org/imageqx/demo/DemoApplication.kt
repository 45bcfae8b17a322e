package org.imageqx.demo

import android.app.Application
import android.os.Handler
import android.os.Looper
import org.imageqx.demo.assess.AssessorSlot
import org.imageqx.demo.assess.ModelAssessor
import org.imageqx.demo.assess.openAppModel
import org.imageqx.demo.bench.BenchProcess
import org.imageqx.demo.bench.BenchSource
import org.imageqx.demo.bench.PhoneClock
import org.imageqx.demo.bench.RunProvider
import org.imageqx.demo.bench.Schedule
import org.imageqx.demo.bench.SpeedMeter
import org.imageqx.demo.bench.loadAppInference
import org.imageqx.demo.bench.readRunFacts
import org.imageqx.demo.photo.PhotoStore
import java.io.File
import java.util.concurrent.Executor
import java.util.concurrent.Executors

/** Where an activity gets what it works with. */
internal interface ToolsSource {
    /** How the speed is measured. */
    val schedule: Schedule

    /** Makes tools for one session, which closes them. */
    fun makeTools(): Tools
}

/** The app, with the model, the camera's photos and the processes of a real phone. */
internal class DemoApplication : Application(), ToolsSource, BenchSource {
    override val schedule: Schedule
        get() = Schedule()

    override fun makeTools(): Tools {
        val main = Handler(Looper.getMainLooper())
        val toMain = Executor { main.post(it) }
        val measuring = Executors.newSingleThreadExecutor()
        val meter = SpeedMeter(
            schedule,
            BenchProcess(this),
            { readRunFacts(this) },
            RunProvider.fileOf(this),
            measuring,
            PhoneClock,
        )
        val settings = Settings(this)
        return Tools(
            AssessorSlot { ModelAssessor(openAppModel(THREADS, settings.computing)) },
            settings,
            PhotoStore(File(cacheDir, "photos")),
            meter,
            toMain,
            Executors.newSingleThreadExecutor(),
        )
    }

    override fun loadInference(file: String, threads: Int): () -> Unit = loadAppInference(this, file, threads)

    private companion object {
        const val THREADS = 2
    }
}
