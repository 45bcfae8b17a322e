package org.imageqx.demo.bench

import org.imageqx.demo.state.SpeedProgress
import java.io.File
import java.util.Locale
import java.util.UUID
import java.util.concurrent.Executor

/** What a run says of the phone and of what ran. */
internal class RunFacts(
    val machine: Machine,
    val toolVersions: Map<String, String>,
    val checkpointSha256: String,
    val models: List<BenchModel>,
)

/** Measures the models of this app, one run at a time, and writes the run into a file. */
internal class SpeedMeter(
    private val schedule: Schedule,
    private val phone: BenchPhone,
    private val facts: () -> RunFacts,
    private val file: File,
    private val executor: Executor,
    private val clock: Clock,
) {
    /** The run that goes on; one that is stopped sees another here, or none. */
    @Volatile
    private var current: Any? = null

    /** Begins a run; [report] hears how far it is, and at last its rows. */
    fun start(report: (SpeedProgress) -> Unit) {
        val token = Any()
        current = token
        executor.execute { run({ current !== token }, report) }
    }

    /** Stops the run that goes on, if there is one; nothing more is reported. */
    fun stop() {
        current = null
    }

    private fun run(stopped: () -> Boolean, report: (SpeedProgress) -> Unit) {
        val started = clock.wall()
        val about = facts()
        val measurements = measure(
            about.models,
            schedule,
            phone,
            { done, all, waiting -> if (!stopped()) report(SpeedProgress.Running(done, all, waiting)) },
            stopped,
        ) ?: return
        val run = BenchRun(
            nameRun(started),
            started,
            about.machine,
            schedule,
            about.toolVersions,
            about.checkpointSha256,
            measurements,
        )
        val aside = File(file.path + ".part")
        aside.writeText(run.toJson())
        aside.renameTo(file)
        if (!stopped()) report(SpeedProgress.Done(run.summarize()))
    }

    /** As `imageqx bench` names its runs: the time, and something that no other run has. */
    private fun nameRun(started: Double): String {
        val time = java.text.SimpleDateFormat("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT)
        time.timeZone = java.util.TimeZone.getTimeZone("UTC")
        return "${time.format(java.util.Date((started * 1e3).toLong()))}-${UUID.randomUUID().toString().takeLast(12)}"
    }
}
