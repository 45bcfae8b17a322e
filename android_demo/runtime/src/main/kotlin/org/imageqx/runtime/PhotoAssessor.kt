package org.imageqx.runtime

import org.imageqx.core.ImageQXException
import org.imageqx.core.attention.Heat
import org.imageqx.core.attention.readHeat
import org.imageqx.core.model.Answer
import org.imageqx.core.model.ModelSpec
import org.imageqx.core.picture.Margins
import org.imageqx.core.picture.Orientation
import org.imageqx.core.picture.Picture
import org.imageqx.core.picture.Stretcher
import org.imageqx.core.verdict.Outputs
import org.imageqx.core.verdict.Verdict
import org.imageqx.core.verdict.decide

/**
 * Assesses photos: pixels, model, decisions. Keeps its buffers from photo to photo, so use it from one thread at a time.
 *
 * @param model closed with this.
 * @param spec the model's own, or that with a clinic's thresholds.
 */
public class PhotoAssessor(private val model: QualityModel, private val spec: ModelSpec = model.spec) : AutoCloseable {
    private val stretcher = Stretcher(spec.preprocessing)

    /**
     * Assesses a photo.
     *
     * @param picture as it is stored.
     * @param orientation what brings it upright.
     * @param margins what the photo does not cover of the picture's edges.
     * @throws ImageQXException the model gave no answer.
     */
    public fun assess(
        picture: Picture,
        orientation: Orientation = Orientation.UPRIGHT,
        margins: Margins = Margins(),
    ): PhotoAssessment {
        val outputs = model.run(stretcher.stretch(picture, orientation, margins))
        return PhotoAssessment(decide(outputs, spec), readMaps(outputs))
    }

    override fun close(): Unit = model.close()

    private fun readMaps(outputs: Outputs): List<Heat> {
        if (spec.answer !is Answer.Labels) return emptyList()
        val shape = spec.outputs.first { it.name == Answer.ATTENTION }.shape
        return readHeat(outputs[Answer.ATTENTION], shape)
    }
}

/**
 * What a model says of a photo.
 *
 * @property maps per reason of the spec, in its order, where the model looks; values in [0, 1] by one scale. Empty for a
 *   model that says good or poor.
 */
public class PhotoAssessment(public val verdict: Verdict, public val maps: List<Heat>)
