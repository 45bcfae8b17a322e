package org.imageqx.core

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.double
import kotlinx.serialization.json.float
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonPrimitive
import java.io.File

/** What Python wrote for these tests: see android_demo/tools/golden.py. */
object Golden {
    private val folder = File(requireNotNull(System.getProperty("imageqx.golden")) { "-Dimageqx.golden=FOLDER" })

    fun cases(name: String): List<JsonObject> =
        Json.parseToJsonElement(File(folder, "$name.json").readText()).jsonArray.map { it as JsonObject }

    fun bytes(name: String): ByteArray = File(folder, name).readBytes()
}

fun JsonObject.int(name: String): Int = getValue(name).jsonPrimitive.int

fun JsonObject.text(name: String): String = getValue(name).jsonPrimitive.content

fun JsonObject.flag(name: String): Boolean = getValue(name).jsonPrimitive.boolean

fun JsonObject.texts(name: String): List<String> = primitives(name).map { it.content }

fun JsonObject.floats(name: String): FloatArray = primitives(name).map { it.float }.toFloatArray()

fun JsonObject.doubles(name: String): List<Double> = primitives(name).map { it.double }

fun JsonObject.primitives(name: String): List<JsonPrimitive> = (getValue(name) as JsonArray).map { it as JsonPrimitive }

/** Counts the places where two arrays differ. */
fun countDifferences(a: ByteArray, b: ByteArray): Int {
    require(a.size == b.size) { "${a.size} and ${b.size} bytes" }
    return a.indices.count { a[it] != b[it] }
}
