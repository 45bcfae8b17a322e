package org.imageqx.demo.camera

/**
 * Averages the outputs of frames over time, so that the advice on the live picture does not flicker.
 *
 * Each frame moves the average by 1 − e^(−Δt/τ): the share does not depend on how many frames the phone manages. After a
 * gap of more than [forget] it begins anew, since the phone points elsewhere by then.
 *
 * @param tau the time constant τ, in nanoseconds.
 * @param forget nanoseconds after which earlier frames say nothing any more.
 */
internal class Smoother(private val tau: Long = 600_000_000, private val forget: Long = 3_000_000_000) {
    private var average: FloatArray? = null
    private var last = 0L

    /** Takes a frame's [values] of the time [now] in nanoseconds, and returns the average, of the same size. */
    fun add(values: FloatArray, now: Long): FloatArray {
        val old = average
        val gap = now - last
        last = now
        val new = if (old == null || old.size != values.size || gap > forget) {
            values.copyOf()
        } else {
            val weight = (1 - Math.exp(-gap.coerceAtLeast(0) / tau.toDouble())).toFloat()
            FloatArray(values.size) { old[it] + weight * (values[it] - old[it]) }
        }
        average = new
        return new.copyOf()
    }

    /** Forgets all frames. */
    fun clear() {
        average = null
    }
}

/**
 * Keeps an advice on the screen until another has been the better one for [hold] nanoseconds in a row.
 *
 * Without it, two reasons of nearly equal weight would take turns faster than anybody reads.
 */
internal class Steady<T : Any>(private val hold: Long = 500_000_000) {
    private var shown: T? = null
    private var rival: T? = null
    private var since = 0L

    /** Takes the advice of the time [now] and returns the one to show. */
    fun choose(advice: T, now: Long): T {
        val current = shown
        if (current == null || advice == current) {
            shown = advice
            rival = null
            return advice
        }
        if (advice != rival) {
            rival = advice
            since = now
        }
        if (now - since >= hold) {
            shown = advice
            rival = null
            return advice
        }
        return current
    }
}
