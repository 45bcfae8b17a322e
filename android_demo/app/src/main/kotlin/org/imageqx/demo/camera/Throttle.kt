package org.imageqx.demo.camera

/**
 * Chooses which frames of the live picture are assessed, so that a slow phone stays cool and its preview smooth.
 *
 * An assessment that took t nanoseconds is followed by a rest of at least t · (1 − [share]) / [share], and no two begin
 * within [shortest]: no more than that share of one core is used, whatever the phone.
 *
 * @param share of the time that assessments may take, in (0, 1].
 * @param shortest nanoseconds between the beginnings of two assessments, at least.
 */
internal class Throttle(private val share: Double = 0.4, private val shortest: Long = 200_000_000) {
    private var busy = false
    private var began = 0L
    private var notBefore = Long.MIN_VALUE

    init {
        require(share > 0 && share <= 1) { "share must lie in (0, 1], got $share" }
    }

    /** Tells whether to assess a frame that comes at [now] nanoseconds; if so, [end] must follow. */
    @Synchronized
    fun begin(now: Long): Boolean {
        if (busy || now < notBefore) return false
        busy = true
        began = now
        return true
    }

    /** Ends the assessment that [begin] allowed, at [now] nanoseconds. */
    @Synchronized
    fun end(now: Long) {
        val took = now - began
        busy = false
        notBefore = maxOf(now + (took * (1 - share) / share).toLong(), began + shortest)
    }
}
