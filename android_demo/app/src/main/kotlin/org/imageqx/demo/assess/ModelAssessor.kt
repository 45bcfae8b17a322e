package org.imageqx.demo.assess

import org.imageqx.core.attention.Heat
import org.imageqx.core.model.Answer
import org.imageqx.core.model.ModelSpec
import org.imageqx.core.model.Region
import org.imageqx.core.picture.ArgbPicture
import org.imageqx.core.picture.Stretcher
import org.imageqx.core.verdict.Outputs
import org.imageqx.core.verdict.decide
import org.imageqx.demo.camera.Smoother
import org.imageqx.demo.camera.Steady
import org.imageqx.demo.photo.PhotoDecoder
import org.imageqx.demo.state.Advice
import org.imageqx.demo.state.Assessment
import org.imageqx.demo.state.Engine
import org.imageqx.runtime.OpenedModel
import org.imageqx.runtime.PhotoAssessor

/** Checks photos and frames with an open model, of either network. */
internal class ModelAssessor(
    private val opened: OpenedModel,
    private val decoder: PhotoDecoder = PhotoDecoder(),
) : Assessor {
    private val model = opened.model
    private val spec = model.spec
    private val assessor = PhotoAssessor(model)
    private val stretcher = Stretcher(spec.preprocessing)
    private val smoother = Smoother()
    private val steady = Steady<Advice>()

    override fun assess(photo: ByteArray): Assessment {
        // 1.5 times the model's input, as preprocess.py's REDUCED_SIDE.
        val side = 3 * maxOf(spec.preprocessing.width, spec.preprocessing.height) / 2
        val decoded = decoder.decode(photo, side)
        try {
            val assessment = assessor.assess(decoded.picture, decoded.orientation, decoded.margins)
            return toAssessment(assessment.verdict) { assessment.maps.getOrNull(it) ?: spec.drawRegion(it) }
        } finally {
            decoded.bitmap.recycle()
        }
    }

    override fun advise(frame: FramePixels, now: Long): Advice {
        val picture = ArgbPicture(frame.width, frame.height, frame.argb, isOpaque = true)
        val outputs = model.run(stretcher.stretch(picture))
        return steady.choose(toAdvice(decide(smooth(outputs, now), spec)), now)
    }

    override fun describeEngine() = Engine(model.runtime, opened.fallback)

    override fun close() = assessor.close()

    /** Averages all outputs together with those of earlier frames. */
    private fun smooth(outputs: Outputs, now: Long): Outputs {
        val names = spec.outputs.map { it.name }
        val all = smoother.add(names.flatMap { outputs[it].asList() }.toFloatArray(), now)
        var at = 0
        return Outputs(
            names.associateWith { name ->
                val size = outputs[name].size
                all.copyOfRange(at, at + size).also { at += size }
            },
        )
    }
}

/** Returns a map that is 1 in a region of the frame and 0 elsewhere; null where the model has no such region. */
internal fun ModelSpec.drawRegion(index: Int): Heat? {
    val regions = (answer as? Answer.Binary)?.regions ?: return null
    val region = regions.parts.getOrNull(index) ?: return null
    return Heat(GRID, GRID, FloatArray(GRID * GRID) { if (region.covers(it % GRID, it / GRID)) 1f else 0f })
}

private fun Region.covers(column: Int, row: Int): Boolean {
    val x = (column + 0.5) / GRID
    val y = (row + 0.5) / GRID
    return x >= left && x < left + width && y >= top && y < top + height
}

private const val GRID = 60
