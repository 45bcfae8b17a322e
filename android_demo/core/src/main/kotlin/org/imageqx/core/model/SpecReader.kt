package org.imageqx.core.model

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.decodeFromJsonElement
import org.imageqx.core.ModelDamaged
import org.imageqx.core.UnfitModel
import org.imageqx.core.UnknownSchemaVersion

/** New fields of a known schema_version are no reason to refuse a file. */
internal val json: Json = Json { ignoreUnknownKeys = true }

private val SPEC_VERSIONS = listOf(1, 2)

/**
 * Reads a ModelSpec.
 *
 * @param text JSON.
 * @param where what errors call its file.
 * @throws ModelDamaged it is no JSON, or lacks a field.
 * @throws UnknownSchemaVersion a newer exporter wrote it.
 * @throws UnfitModel it says something that this library does not do.
 */
public fun readSpec(text: String, where: String): ModelSpec = readSpec(parse(text, where), where)

/**
 * Reads the ModelSpec out of a model's metadata, where the field `spec` is JSON inside a JSON string.
 *
 * @param text the metadata: `spec.json` of a .tflite file.
 * @param where what errors call the file.
 */
public fun readSpecOfMetadata(text: String, where: String): ModelSpec {
    val inner = (parse(text, where) as? JsonObject)?.get("spec") as? JsonPrimitive
    if (inner == null || !inner.isString) throw ModelDamaged(where, "metadata without a spec")
    return readSpec(inner.content, where)
}

internal fun readSpec(element: JsonElement, where: String): ModelSpec {
    checkVersion(element, where, SPEC_VERSIONS)
    return decode<SpecJson>(element, where).toSpec(where)
}

/** Refuses a file whose `schema_version` is not among [known]; one without is of version 1. */
internal fun checkVersion(element: JsonElement, where: String, known: List<Int>) {
    val version = (element as? JsonObject)?.get("schema_version") ?: return
    val number = (version as? JsonPrimitive)?.takeIf { !it.isString }?.content?.toIntOrNull()
    if (number !in known) throw UnknownSchemaVersion(where, known, version.toString().take(80))
}

internal fun parse(text: String, where: String): JsonElement =
    try {
        json.parseToJsonElement(text)
    } catch (error: SerializationException) {
        throw ModelDamaged(where, "no JSON: ${error.message?.lineSequence()?.first()}", error)
    }

internal inline fun <reified T> decode(element: JsonElement, where: String): T =
    try {
        json.decodeFromJsonElement<T>(element)
    } catch (error: IllegalArgumentException) { // SerializationException is one
        throw ModelDamaged(where, error.message.orEmpty().lineSequence().first(), error)
    }

private fun SpecJson.toSpec(where: String): ModelSpec {
    val size = preprocessing.toSize(where)
    val input = inputs.singleOrNull()?.takeIf { it.dtype == "uint8" && it.shape == listOf(1, size.height, size.width, 3) }
        ?: throw UnfitModel(
            "$where: inputs",
            "one, uint8 [1, ${size.height}, ${size.width}, 3]",
            inputs.joinToString { "${it.dtype} ${it.shape}" }.ifEmpty { "none" },
        )
    val answer = if (binary == null) toLabels(where) else toBinary(binary, where)
    checkOutputs(answer, where)
    return ModelSpec(name, input.toTensor(), outputs.map { it.toTensor() }, size, answer, minRuntime)
}

private fun TensorJson.toTensor() = TensorSpec(name, shape)

private fun PreprocessingJson.toSize(where: String): Preprocessing {
    val known = PreprocessingJson(height, width)
    if (this != known) throw UnfitModel("$where: preprocessing", known.toString(), toString())
    if (minOf(height, width) < 1 || maxOf(height, width) > 4096) {
        throw UnfitModel("$where: preprocessing", "sides of 1 to 4096 pixels", "$width × $height")
    }
    return Preprocessing(width, height)
}

private fun SpecJson.toLabels(where: String): Answer.Labels {
    if (Answer.POOR !in labels || labels.size < 2 || labels.distinct() != labels) {
        throw UnfitModel("$where: labels", "${Answer.POOR} and another, each once", labels.toString())
    }
    if (reasons.isEmpty() || reasons.distinct() != reasons) {
        throw UnfitModel("$where: reasons", "one or more, each once", reasons.toString())
    }
    for ((field, names) in listOf("thresholds" to thresholds.keys, "hints" to hints.keys)) {
        if (names != reasons.toSet()) throw UnfitModel("$where: $field", "one per reason, $reasons", names.toString())
    }
    (thresholds.values + listOfNotNull(poorQualityThreshold)).forEach { checkProbability(it, "$where: thresholds") }
    return Answer.Labels(
        labels,
        reasons.map { Reason(it, thresholds.getValue(it), hints.getValue(it)) },
        poorQualityThreshold,
    )
}

private fun SpecJson.toBinary(binary: BinaryJson, where: String): Answer.Binary {
    if (labels.isNotEmpty() || reasons.isNotEmpty()) {
        throw UnfitModel("$where: binary", "labels or a binary decision", "both")
    }
    checkProbability(binary.threshold, "$where: binary.threshold")
    val regions = binary.regions?.toRegions(where)
    val ranks = binary.ranks?.let { Ranks(it.output, it.raters, it.goodWhenAtLeast) }
    if (ranks != null && ranks.goodWhenAtLeast !in 1..ranks.raters) {
        throw UnfitModel("$where: binary.ranks", "1 to ${ranks.raters} raters", "${ranks.goodWhenAtLeast}")
    }
    val read = listOfNotNull(binary.output, ranks?.output, regions?.output)
    if (read.distinct() != read) throw UnfitModel("$where: binary", "an output a part", read.toString())
    return Answer.Binary(binary.output, binary.threshold, binary.hint, ranks, regions)
}

private fun RegionsJson.toRegions(where: String): Regions {
    checkProbability(threshold, "$where: binary.regions.threshold")
    if (parts.isEmpty() || parts.distinctBy { it.name } != parts) {
        throw UnfitModel("$where: binary.regions", "one or more parts, each once", parts.map { it.name }.toString())
    }
    val shown = parts.map { Region(it.name, it.left, it.top, it.width, it.height, it.hint) }
    shown.firstOrNull { !it.isInside() }?.let { throw UnfitModel("$where: ${it.name}", "a part of the frame", "$it") }
    return Regions(output, threshold, shown)
}

private fun Region.isInside(): Boolean =
    left >= 0 && top >= 0 && width > 0 && height > 0 && left + width <= 1 + 1e-9 && top + height <= 1 + 1e-9

private fun checkProbability(value: Double, where: String) {
    if (value !in 0.0..1.0) throw UnfitModel(where, "within 0 and 1", value.toString())
}

private fun SpecJson.checkOutputs(answer: Answer, where: String) {
    val shapes = outputs.associate { it.name to it.shape }
    if (shapes.size != outputs.size) throw UnfitModel("$where: outputs", "each name once", outputs.map { it.name }.toString())
    for ((output, wanted) in answer.listShapes()) {
        val shape = shapes[output]
        val fits = shape?.size == wanted.size && shape.zip(wanted).all { (got, want) -> got == want || want == 0 && got > 0 }
        val isFloat = outputs.any { it.name == output && it.dtype == "float32" }
        if (!fits || !isFloat) {
            throw UnfitModel("$where: output $output", "float32 ${wanted.map { if (it == 0) "any" else "$it" }}", "$shape")
        }
    }
}

/** Returns the shape of every output that a verdict is read from; 0 is any size. */
private fun Answer.listShapes(): Map<String, List<Int>> = when (this) {
    is Answer.Labels -> mapOf(
        Answer.QUALITY to listOf(1, labels.size),
        Answer.EXPLANATIONS to listOf(1, reasons.size),
        Answer.ATTENTION to listOf(1, reasons.size, 0, 0),
    )
    is Answer.Binary -> buildMap {
        put(output, listOf(1, 1))
        ranks?.let { put(it.output, listOf(1, it.raters)) }
        regions?.let { put(it.output, listOf(1, it.parts.size)) }
    }
}
