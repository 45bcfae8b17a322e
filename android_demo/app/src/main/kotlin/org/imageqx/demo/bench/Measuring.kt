package org.imageqx.demo.bench

/** What a measurement needs of the phone; a test has a phone of its own. */
internal interface BenchPhone {
    /** Times [model] in one fresh process. @throws BenchFailedException it did not run. */
    fun sample(model: BenchModel, schedule: Schedule): Sample

    /** The largest resident memory of one more fresh process, which is not timed; null where it cannot be read. */
    fun measurePeakMemory(model: BenchModel, schedule: Schedule): Long?

    /** Whether the phone slows itself down, as it is too hot. */
    fun isHot(): Boolean

    /** Waits a moment for it to cool down. */
    fun rest()
}

/** A model could not be measured. */
internal class BenchFailedException(message: String, cause: Throwable? = null) : Exception(message, cause)

/**
 * Measures [models] as `imageqx bench` does: fresh processes in turns, then what would disturb the times.
 *
 * @param progress hears of processes done, of all, and whether the phone is too hot to go on.
 * @param stopped tells whether the person has had enough.
 * @return a measurement for each model, or null if it was stopped.
 */
internal fun measure(
    models: List<BenchModel>,
    schedule: Schedule,
    phone: BenchPhone,
    progress: (done: Int, all: Int, waiting: Boolean) -> Unit,
    stopped: () -> Boolean,
): List<Measurement>? {
    val samples = models.associateWith { mutableListOf<Sample>() }
    val failures = mutableMapOf<BenchModel, String>()
    val turns = interleave(models, schedule.processes)
    val all = turns.size + models.size
    turns.forEachIndexed { done, model ->
        if (stopped() || !coolDown(phone, stopped) { progress(done, all, true) }) return null
        progress(done, all, false)
        if (model !in failures) {
            try {
                samples.getValue(model) += phone.sample(model, schedule)
            } catch (error: BenchFailedException) {
                failures[model] = error.message.orEmpty()
            }
        }
    }
    return models.mapIndexed { index, model ->
        if (stopped()) return null
        progress(turns.size + index, all, false)
        val failure = failures[model]
        if (failure != null) Measurement(model, emptyList(), unavailable = failure) else finish(model, samples, schedule, phone)
    }
}

private fun finish(
    model: BenchModel,
    samples: Map<BenchModel, List<Sample>>,
    schedule: Schedule,
    phone: BenchPhone,
): Measurement {
    val notes = mutableListOf<String>()
    val memory = try {
        phone.measurePeakMemory(model, schedule)
    } catch (error: BenchFailedException) {
        notes += "peak memory: ${error.message}"
        null
    }
    return Measurement(model, samples.getValue(model), memory, notes = notes)
}

/** Waits until the phone is cool, and tells whether the measurement goes on. */
private fun coolDown(phone: BenchPhone, stopped: () -> Boolean, waiting: () -> Unit): Boolean {
    while (phone.isHot()) {
        if (stopped()) return false
        waiting()
        phone.rest()
    }
    return true
}
