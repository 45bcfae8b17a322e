package org.imageqx.core.model

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.decodeFromJsonElement
import org.imageqx.core.ThresholdsException

/** A misspelt name in a file that people write must not pass unseen. */
private val strictJson = Json

/**
 * A clinic's own thresholds, which stand in for the ModelSpec's; what they do not name stays.
 *
 * `imageqx thresholds --thresholds-out` writes them.
 */
public class Thresholds internal constructor(
    internal val namesPoorQuality: Boolean,
    internal val poorQuality: Double?,
    internal val reasons: Map<String, Double>,
    internal val good: Double?,
    internal val regions: Double?,
)

@Serializable
private class ThresholdsJson(
    @SerialName("schema_version") val schemaVersion: Int,
    @SerialName("poor_quality") val poorQuality: Double? = null,
    val reasons: Map<String, Double> = emptyMap(),
    val good: Double? = null,
    val regions: Double? = null,
    @Suppress("unused") val chosen: JsonElement? = null,
)

/**
 * Reads a clinic's `thresholds.json`.
 *
 * @param text its JSON.
 * @param where what errors call it.
 * @throws ThresholdsException it is not valid.
 */
public fun readThresholds(text: String, where: String): Thresholds {
    val element: JsonElement
    val read: ThresholdsJson
    try {
        element = strictJson.parseToJsonElement(text)
        read = strictJson.decodeFromJsonElement(element)
    } catch (error: IllegalArgumentException) { // SerializationException is one
        val got = error.message.orEmpty().lineSequence().first()
        throw ThresholdsException(where, "a file that imageqx thresholds wrote", got, error)
    }
    read.check(where)
    val namesPoorQuality = "poor_quality" in (element as JsonObject)
    return Thresholds(namesPoorQuality, read.poorQuality, read.reasons, read.good, read.regions)
}

private fun ThresholdsJson.check(where: String) {
    if (schemaVersion !in 1..2) throw ThresholdsException(where, "schema_version 1 or 2", "$schemaVersion")
    if (schemaVersion == 1 && (good != null || regions != null)) {
        throw ThresholdsException(where, "schema_version 2 for good and regions", "1")
    }
    val all = reasons.values + listOfNotNull(poorQuality, good, regions)
    all.firstOrNull { it !in 0.0..1.0 }?.let { throw ThresholdsException(where, "thresholds within 0 and 1", "$it") }
}

/**
 * Returns this spec with a clinic's thresholds in place of its own.
 *
 * @param where what errors call their file.
 * @throws ThresholdsException they are for another kind of model, or name a reason that it does not have.
 */
public fun ModelSpec.withThresholds(own: Thresholds, where: String): ModelSpec = copy(
    answer = when (answer) {
        is Answer.Labels -> answer.withThresholds(own, name, where)
        is Answer.Binary -> answer.withThresholds(own, name, where)
    },
)

private fun Answer.Labels.withThresholds(own: Thresholds, model: String, where: String): Answer.Labels {
    if (own.good != null || own.regions != null) {
        throw ThresholdsException(where, "poor_quality and reasons, as $model has labels", "good or regions")
    }
    refuseUnknown(own.reasons.keys, reasons.map { it.name }, where)
    return copy(
        reasons = reasons.map { it.copy(threshold = own.reasons[it.name] ?: it.threshold) },
        poorThreshold = if (own.namesPoorQuality) own.poorQuality else poorThreshold,
    )
}

private fun Answer.Binary.withThresholds(own: Thresholds, model: String, where: String): Answer.Binary {
    if (own.poorQuality != null) {
        throw ThresholdsException(where, "good and regions, as $model has a binary decision", "poor_quality")
    }
    refuseUnknown(own.reasons.keys, emptyList(), where)
    if (own.regions != null && regions == null) throw ThresholdsException(where, "good, as $model has no regions", "regions")
    return copy(
        threshold = own.good ?: threshold,
        regions = regions?.let { it.copy(threshold = own.regions ?: it.threshold) },
    )
}

private fun refuseUnknown(names: Collection<String>, known: List<String>, where: String) {
    val unknown = names.firstOrNull { it !in known } ?: return
    throw ThresholdsException(where, "reasons of $known", unknown)
}
