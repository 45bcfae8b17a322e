package org.imageqx.core.model

/**
 * What a photo becomes and what an output means; it comes with every model, and nothing of it is written in code.
 *
 * @property name the model's, such as `"imageqx"`.
 * @property input the one input: uint8, [1, height, width, 3].
 * @property outputs float32, the batch of 1 first.
 * @property preprocessing how a photo becomes the input.
 * @property answer how the outputs become a verdict.
 * @property minRuntime per runtime the oldest version on which the file is right, null where none is; see [checkRuntime].
 */
public data class ModelSpec(
    val name: String,
    val input: TensorSpec,
    val outputs: List<TensorSpec>,
    val preprocessing: Preprocessing,
    val answer: Answer,
    val minRuntime: Map<String, String?> = emptyMap(),
)

/** An input or output by its name in the graph. */
public data class TensorSpec(val name: String, val shape: List<Int>) {
    /** How many numbers it holds. */
    val size: Int get() = shape.fold(1, Int::times)
}

/**
 * The size that photos are stretched to, in pixels.
 *
 * What else there is to preprocessing has one known meaning each, and a spec that says otherwise is refused: sRGB,
 * alpha over white, upright by EXIF, the whole frame stretched by an antialiased triangle filter, along the rows first.
 */
public data class Preprocessing(val width: Int, val height: Int)

/** How outputs become a verdict: one of two kinds. */
public sealed interface Answer {
    /**
     * A label, and reasons.
     *
     * @property labels the columns of the output `quality`.
     * @property reasons the columns of the output `explanations`, and the maps of `attention`.
     * @property poorThreshold the probability of [POOR] from which a photo is poor; null: the likeliest label holds.
     */
    public data class Labels(
        val labels: List<String>,
        val reasons: List<Reason>,
        val poorThreshold: Double?,
    ) : Answer

    /**
     * Good, or poor.
     *
     * @property output the output with the probability that a photo is good.
     * @property threshold the probability from which it is.
     * @property hint what to tell the person where a photo is poor and no region stands out.
     * @property ranks how many raters would call it good; null where the model does not say.
     * @property regions which parts of the frame are good; likewise.
     */
    public data class Binary(
        val output: String,
        val threshold: Double,
        val hint: String,
        val ranks: Ranks?,
        val regions: Regions?,
    ) : Answer

    public companion object {
        /** The label that sends a photo back. */
        public const val POOR: String = "poor_quality"

        /** The output of the labels' probabilities. */
        public const val QUALITY: String = "quality"

        /** The output of the reasons' probabilities. */
        public const val EXPLANATIONS: String = "explanations"

        /** The output of the reasons' heat maps. */
        public const val ATTENTION: String = "attention"
    }
}

/** A reason for a poor photo: its name, the probability from which it counts, and what to tell the person, in English. */
public data class Reason(val name: String, val threshold: Double, val hint: String)

/** An output [1, raters]: in column k the probability that more than k raters would call the photo good. */
public data class Ranks(val output: String, val raters: Int, val goodWhenAtLeast: Int)

/** An output [1, parts]: per region the probability that it is good; below [threshold] it is bad. */
public data class Regions(val output: String, val threshold: Double, val parts: List<Region>)

/** A part of the frame, in shares of it from the top left corner. */
public data class Region(
    val name: String,
    val left: Double,
    val top: Double,
    val width: Double,
    val height: Double,
    val hint: String,
)
