package org.imageqx.demo.bench

import android.os.Bundle

/** What is asked of the process that measures. */
internal data class BenchRequest(val model: String, val schedule: Schedule, val memory: Boolean) {
    fun toBundle(): Bundle = Bundle().apply {
        putString(MODEL, model)
        putBoolean(MEMORY, memory)
        putInt("warmup_runs", schedule.warmupRuns)
        putDouble("warmup_seconds", schedule.warmupSeconds)
        putInt("runs", schedule.runs)
        putDouble("seconds", schedule.seconds)
        putInt("processes", schedule.processes)
        putInt("threads", schedule.threads)
    }

    companion object {
        private const val MODEL = "model"
        private const val MEMORY = "memory"

        fun read(bundle: Bundle): BenchRequest {
            val schedule = Schedule(
                bundle.getInt("warmup_runs"),
                bundle.getDouble("warmup_seconds"),
                bundle.getInt("runs"),
                bundle.getDouble("seconds"),
                bundle.getInt("processes"),
                bundle.getInt("threads"),
            )
            return BenchRequest(bundle.getString(MODEL).orEmpty(), schedule, bundle.getBoolean(MEMORY))
        }
    }
}

/** What the process answers: a sample, a number of bytes, or why there is neither. */
internal sealed interface BenchReply {
    data class Timed(val sample: Sample) : BenchReply

    data class Memory(val bytes: Long?) : BenchReply

    data class Failed(val message: String) : BenchReply

    fun toBundle(): Bundle = Bundle().also {
        when (this) {
            is Failed -> it.putString(FAILURE, message)
            is Memory -> it.putLong(BYTES, bytes ?: NOTHING)
            is Timed -> {
                it.putDouble("load", sample.loadSeconds)
                it.putDouble("first", sample.firstSeconds)
                it.putDouble("started", sample.started)
                it.putDouble("before", sample.temperatureBefore ?: Double.NaN)
                it.putDouble("after", sample.temperatureAfter ?: Double.NaN)
                it.putDoubleArray(SECONDS, sample.seconds.toDoubleArray())
            }
        }
    }

    companion object {
        private const val FAILURE = "failure"
        private const val BYTES = "bytes"
        private const val SECONDS = "seconds"
        private const val NOTHING = -1L

        fun read(bundle: Bundle): BenchReply {
            bundle.getString(FAILURE)?.let { return Failed(it) }
            if (bundle.containsKey(BYTES)) return Memory(bundle.getLong(BYTES).takeIf { it != NOTHING })
            val seconds = bundle.getDoubleArray(SECONDS) ?: return Failed("an empty answer")
            return Timed(
                Sample(
                    bundle.getDouble("load"),
                    bundle.getDouble("first"),
                    seconds.toList(),
                    bundle.getDouble("started"),
                    bundle.getDouble("before").takeIf { it.isFinite() },
                    bundle.getDouble("after").takeIf { it.isFinite() },
                ),
            )
        }
    }
}
