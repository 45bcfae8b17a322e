package org.imageqx.demo.bench

import kotlin.math.ceil

/**
 * How often and for how long each model runs: `imageqx bench`'s schedule, with its names and its defaults.
 *
 * [runs] and [seconds] are for all processes of a model together, and both must be reached; each process does its share.
 */
internal data class Schedule(
    val warmupRuns: Int = 10,
    val warmupSeconds: Double = 0.5,
    val runs: Int = 100,
    val seconds: Double = 10.0,
    val processes: Int = 10,
    val threads: Int = 1,
) {
    /** Timed inferences that each process does at least. */
    val runsEach: Int
        get() = ceil(runs / processes.toDouble()).toInt()

    /** Timed seconds that each process lasts at least. */
    val secondsEach: Double
        get() = seconds / processes
}

/** What one fresh process measured; temperatures in °C, or null where the phone does not tell. */
internal data class Sample(
    val loadSeconds: Double,
    val firstSeconds: Double,
    val seconds: List<Double>,
    val started: Double,
    val temperatureBefore: Double? = null,
    val temperatureAfter: Double? = null,
)

/** Where time comes from; a test has one of its own. */
internal interface Clock {
    /** Nanoseconds that only go forward. */
    fun nanos(): Long

    /** Seconds since 1970. */
    fun wall(): Double
}

/**
 * Times one process: the load, the first inference, and after a warm-up each inference of its share of the [schedule].
 *
 * @param load gives a function that runs one inference as an app does: the input copied in, all outputs copied out.
 */
internal fun time(schedule: Schedule, clock: Clock, temperature: () -> Double?, load: () -> (() -> Unit)): Sample {
    val started = clock.wall()
    val before = temperature()
    var begin = clock.nanos()
    val run = load()
    val loaded = clock.nanos() - begin
    begin = clock.nanos()
    run()
    val first = clock.nanos() - begin
    val each = warmUp(schedule, clock, run)
    val samples = timeRuns(schedule.runsEach, toNanos(schedule.secondsEach), each, clock, run)
    return Sample(loaded / 1e9, first / 1e9, samples.map { it / 1e9 }, started, before, temperature())
}

/** Runs for the schedule's warm-up, and returns the mean of one run in nanoseconds. */
private fun warmUp(schedule: Schedule, clock: Clock, run: () -> Unit): Long {
    val nanos = toNanos(schedule.warmupSeconds)
    var done = 0
    val begin = clock.nanos()
    while (done < schedule.warmupRuns || clock.nanos() - begin < nanos) {
        run()
        done += 1
    }
    return if (done == 0) 0 else (clock.nanos() - begin) / done
}

/** Times [runs] or more, until they sum up to [nanos]; room for the samples is made before the first. */
private fun timeRuns(runs: Int, nanos: Long, each: Long, clock: Clock, run: () -> Unit): List<Long> {
    val room = maxOf(runs.toLong(), 2 * nanos / maxOf(1, each)) + 1
    val samples = ArrayList<Long>(room.coerceAtMost(MOST_SAMPLES).toInt())
    var total = 0L
    while (samples.size < runs || total < nanos) {
        val begin = clock.nanos()
        run()
        val took = clock.nanos() - begin
        samples.add(took)
        total += took
    }
    return samples
}

/** The models in turns, A B C A B C …, so that a drift of the phone hits all alike. */
internal fun <T> interleave(models: List<T>, processes: Int): List<T> = (0 until processes).flatMap { models }

private fun toNanos(seconds: Double): Long = (seconds * 1e9).toLong()

private const val MOST_SAMPLES = 1_000_000L
