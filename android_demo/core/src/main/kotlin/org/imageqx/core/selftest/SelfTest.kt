package org.imageqx.core.selftest

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.float
import kotlinx.serialization.json.jsonPrimitive
import org.imageqx.core.ModelDamaged
import org.imageqx.core.model.checkVersion
import org.imageqx.core.model.decode
import org.imageqx.core.model.parse
import org.imageqx.core.verdict.Outputs

/**
 * What an app asks of an accelerator before it trusts it: `golden/self_test.json`. See docs/self-test.md.
 *
 * @property pictures names of pictures beside it, of the model's size: given to it as they are.
 * @property expectations per precision, what to compare with.
 */
@Serializable
public data class SelfTest(val pictures: List<String>, val expectations: Map<String, Expectation>)

/** The file with PyTorch's outputs, beside the self-test, and how far an accelerator may be from them. */
@Serializable
public data class Expectation(val outputs: String, val tolerance: Tolerance)

/**
 * The most that outputs may differ from PyTorch's.
 *
 * @property maxAbs largest |Δ| of any number.
 * @property agreement share of the decisions that must be the same, in [0, 1].
 * @property margin a decision may differ where PyTorch's own margin is below this.
 */
@Serializable
public data class Tolerance(@SerialName("max_abs") val maxAbs: Float, val agreement: Double, val margin: Float)

/** Reads `self_test.json`. */
public fun readSelfTest(text: String, where: String): SelfTest {
    val element = parse(text, where)
    checkVersion(element, where, listOf(1))
    return decode(element, where)
}

/**
 * Reads PyTorch's outputs, such as `expected.json`: per picture's name its outputs.
 *
 * @throws ModelDamaged it is no such file.
 */
public fun readExpectedOutputs(text: String, where: String): Map<String, Outputs> {
    val rows = parse(text, where) as? JsonObject ?: throw ModelDamaged(where, "no object of pictures")
    return rows.mapValues { (picture, row) ->
        val outputs = row as? JsonObject ?: throw ModelDamaged("$where: $picture", "no object of outputs")
        Outputs(outputs.mapValues { (name, numbers) -> flatten(numbers, "$where: $picture: $name") })
    }
}

private fun flatten(numbers: JsonElement, where: String): FloatArray {
    val flat = ArrayList<Float>()
    fun visit(element: JsonElement) {
        when (element) {
            is List<*> -> element.forEach { visit(it as JsonElement) }
            is JsonPrimitive -> flat += element.jsonPrimitive.float
            is JsonObject -> throw ModelDamaged(where, "an object, not numbers")
        }
    }
    try {
        visit(numbers)
    } catch (error: NumberFormatException) {
        throw ModelDamaged(where, "no numbers", error)
    }
    return flat.toFloatArray()
}
