package org.imageqx.core.model

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** The ModelSpec as it is written: of schema_version 2, or of 1, which had none. */
@Serializable
internal data class SpecJson(
    val name: String,
    val inputs: List<TensorJson>,
    val outputs: List<TensorJson>,
    val preprocessing: PreprocessingJson = PreprocessingJson(),
    val labels: List<String> = emptyList(),
    val reasons: List<String> = emptyList(),
    val thresholds: Map<String, Double> = emptyMap(),
    @SerialName("poor_quality_threshold") val poorQualityThreshold: Double? = null,
    val hints: Map<String, String> = emptyMap(),
    val binary: BinaryJson? = null,
    @SerialName("min_runtime") val minRuntime: Map<String, String?> = emptyMap(),
)

@Serializable
internal data class TensorJson(val name: String, val shape: List<Int>, val dtype: String)

/** The defaults are those of schema_version 1, and the only values that are known. */
@Serializable
internal data class PreprocessingJson(
    val height: Int = 224,
    val width: Int = 224,
    val layout: String = "NHWC",
    @SerialName("color_space") val colorSpace: String = "sRGB",
    val resize: String = "stretch",
    val resample: String = "bilinear-antialias",
    @SerialName("resize_order") val resizeOrder: String = "horizontal-first",
    val orientation: String = "apply-exif",
    val alpha: String = "over-white",
    val normalisation: String = "in-graph",
)

@Serializable
internal data class BinaryJson(
    val output: String,
    val threshold: Double,
    val hint: String,
    val ranks: RanksJson? = null,
    val regions: RegionsJson? = null,
)

@Serializable
internal data class RanksJson(
    val output: String,
    val raters: Int,
    @SerialName("good_when_at_least") val goodWhenAtLeast: Int,
)

@Serializable
internal data class RegionsJson(val output: String, val threshold: Double, val parts: List<RegionJson>)

@Serializable
internal data class RegionJson(
    val name: String,
    val left: Double,
    val top: Double,
    val width: Double,
    val height: Double,
    val hint: String,
)
