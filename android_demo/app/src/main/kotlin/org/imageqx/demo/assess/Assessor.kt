package org.imageqx.demo.assess

import org.imageqx.demo.state.Advice
import org.imageqx.demo.state.Assessment
import org.imageqx.demo.state.Engine

/** A frame of the live picture: opaque pixels `0xFFRRGGBB`, upright, row by row. */
internal class FramePixels(val argb: IntArray, val width: Int, val height: Int)

/** What checks photos. Blocks; one call at a time. A test has one of its own. */
internal interface Assessor : AutoCloseable {
    /**
     * Checks a photo's file.
     *
     * @throws org.imageqx.core.ImageQXException there is no answer: the photo or the model is to blame.
     * @throws org.imageqx.demo.photo.PhotoUnsupportedException this phone cannot read such photos.
     */
    fun assess(photo: ByteArray): Assessment

    /** Advises on the live picture, of which [frame] came at [now] nanoseconds; throws likewise. */
    fun advise(frame: FramePixels, now: Long): Advice

    /** Tells what computes, and why not the phone's accelerator. */
    fun describeEngine(): Engine
}
