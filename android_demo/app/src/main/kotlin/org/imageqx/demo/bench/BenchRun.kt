package org.imageqx.demo.bench

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonArray
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import org.imageqx.demo.state.Quartiles
import org.imageqx.demo.state.SpeedRow

/** A model in this app, as the export's manifest describes it. */
internal data class BenchModel(
    val file: String,
    val sha256: String,
    val format: String,
    val precision: String,
    val sizeBytes: Long,
)

/** What was measured of one model; [unavailable] says why there is nothing. */
internal data class Measurement(
    val model: BenchModel,
    val samples: List<Sample>,
    val peakMemoryBytes: Long? = null,
    val unavailable: String? = null,
    val notes: List<String> = emptyList(),
)

/** The phone that was measured on. */
internal data class Machine(
    val name: String,
    val cores: Int,
    val abi: String,
    val system: String,
    val facts: Map<String, String> = emptyMap(),
)

/** One run, as `imageqx bench --import FILE` reads it: one line of a history. */
internal data class BenchRun(
    val runId: String,
    val started: Double,
    val machine: Machine,
    val schedule: Schedule,
    val toolVersions: Map<String, String>,
    val checkpointSha256: String,
    val measurements: List<Measurement>,
) {
    /** Writes the run as JSON, with the keys of `imageqx_export.bench.model.BenchRun`. */
    fun toJson(): String = buildJsonObject {
        put("schema_version", SCHEMA_VERSION)
        put("run_id", runId)
        put("started", started)
        put("commit", "unknown")
        put("target", TARGET)
        put("machine", machine.toJson())
        put("schedule", schedule.toJson())
        put("tool_versions", strings(toolVersions))
        put("checkpoint_sha256", checkpointSha256)
        put("measurements", buildJsonArray { measurements.forEach { add(it.toJson()) } })
    }.toString()

    companion object {
        const val SCHEMA_VERSION = 1

        /** What the history calls measurements of this app. */
        const val TARGET = "android-app"
    }
}

/** Returns a line for the screen about each model. */
internal fun BenchRun.summarize(): List<SpeedRow> = measurements.map { one ->
    val times = one.samples.flatMap { it.seconds }.sorted()
    val quartiles = if (times.isEmpty()) {
        null
    } else {
        Quartiles(quantile(times, 0.25) * 1e3, quantile(times, 0.5) * 1e3, quantile(times, 0.75) * 1e3)
    }
    SpeedRow(one.model.file, quartiles, one.unavailable)
}

/** The quantile [share] of sorted values, linear between its neighbours, as NumPy's default is. */
internal fun quantile(sorted: List<Double>, share: Double): Double {
    val at = share * (sorted.size - 1)
    val below = at.toInt()
    val above = minOf(below + 1, sorted.size - 1)
    return sorted[below] + (at - below) * (sorted[above] - sorted[below])
}

private fun Measurement.toJson(): JsonObject = buildJsonObject {
    put("artifact", model.file)
    put("sha256", model.sha256)
    put("format", model.format)
    put("precision", model.precision)
    put("size_bytes", model.sizeBytes)
    put("samples", buildJsonArray { samples.forEach { add(it.toJson()) } })
    put("peak_memory_bytes", JsonPrimitive(peakMemoryBytes))
    put("unavailable", JsonPrimitive(unavailable))
    put("failed", unavailable != null)
    put("notes", buildJsonArray { notes.forEach { add(JsonPrimitive(it)) } })
}

private fun Sample.toJson(): JsonObject = buildJsonObject {
    put("load_seconds", loadSeconds)
    put("first_seconds", firstSeconds)
    put("seconds", buildJsonArray { seconds.forEach { add(JsonPrimitive(it)) } })
    put("started", started)
    put("temperature_before", number(temperatureBefore))
    put("temperature_after", number(temperatureAfter))
}

private fun Machine.toJson(): JsonObject = buildJsonObject {
    put("name", name)
    put("cores", cores)
    put("abi", abi)
    put("system", system)
    put("facts", strings(facts))
}

private fun Schedule.toJson(): JsonObject = buildJsonObject {
    put("warmup_runs", warmupRuns)
    put("warmup_seconds", warmupSeconds)
    put("runs", runs)
    put("seconds", seconds)
    put("processes", processes)
    put("threads", threads)
}

private fun strings(values: Map<String, String>): JsonObject =
    JsonObject(values.mapValues { JsonPrimitive(it.value) })

private fun number(value: Double?): JsonElement = if (value == null) JsonNull else JsonPrimitive(value)
