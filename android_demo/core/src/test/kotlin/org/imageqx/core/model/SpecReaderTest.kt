package org.imageqx.core.model

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import org.imageqx.core.ModelDamaged
import org.imageqx.core.ModelException
import org.imageqx.core.UnfitModel
import org.imageqx.core.UnknownSchemaVersion
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import java.util.zip.CRC32
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream

class SpecReaderTest {
    @Test
    fun `reads labels of version 1`() {
        val spec = readSpec(Examples.labels, "a")
        assertEquals(Preprocessing(224, 224), spec.preprocessing)
        val reasons = listOf(Reason("blurry", 0.25, "Hold the phone still"))
        assertEquals(Answer.Labels(listOf("lesion", "poor_quality"), reasons, 0.5), spec.answer)
        assertEquals(49, spec.outputs[2].size)
    }

    @Test
    fun `reads a binary decision of version 2`() {
        val spec = readSpec(Examples.binary, "a")
        val answer = spec.answer as Answer.Binary
        assertEquals(Preprocessing(width = 336, height = 448), spec.preprocessing)
        assertEquals(Ranks("ranks", 4, 2), answer.ranks)
        assertEquals(listOf("center", "left", "right"), answer.regions?.parts?.map { it.name })
    }

    @Test
    fun `reads JSON inside a JSON string, behind a model`() {
        val file = zipBehind(ByteArray(1000) { 7 }, metadata(Examples.labels))
        assertEquals(readSpec(Examples.labels, "a"), readEmbeddedSpec(ByteBuffer.wrap(file), "a.tflite"))
    }

    @Test
    fun `a file that is cut off anywhere is damaged`() {
        val file = zipBehind(ByteArray(100), metadata(Examples.labels))
        for (size in 0 until file.size) {
            val cut = ByteBuffer.wrap(file.copyOf(size))
            assertThrows(ModelDamaged::class.java, { readEmbeddedSpec(cut, "a.tflite") }, "$size bytes")
        }
    }

    @Test
    fun `a file whose bytes are changed is read or refused, and nothing else`() {
        val whole = zipBehind(ByteArray(10), metadata(Examples.labels))
        for (at in whole.indices) {
            for (change in listOf(1, 0x80)) {
                val file = whole.clone().also { it[at] = (it[at].toInt() xor change).toByte() }
                try {
                    readEmbeddedSpec(ByteBuffer.wrap(file), "a.tflite")
                } catch (error: Throwable) {
                    assertTrue(error is ModelException, "byte $at: $error")
                }
            }
        }
    }

    @TestFactory
    fun `refuses what it does not understand`(): List<DynamicTest> = listOf(
        refusal<UnknownSchemaVersion>("a newer version", Examples.binary, "\"schema_version\": 2" to "\"schema_version\": 3"),
        refusal<UnknownSchemaVersion>("a version in words", Examples.binary, "\"schema_version\": 2" to "\"schema_version\": \"2\""),
        refusal<ModelDamaged>("no name", Examples.labels, "\"name\": \"imageqx\"," to ""),
        refusal<ModelDamaged>("half a file", Examples.labels, Examples.labels.drop(200) to ""),
        refusal<ModelDamaged>("a size in words", Examples.labels, "\"height\": 224" to "\"height\": \"tall\""),
        refusal<UnfitModel>("float pixels", Examples.labels, "uint8" to "float32"),
        refusal<UnfitModel>("another size", Examples.labels, "\"height\": 224" to "\"height\": 225"),
        refusal<UnfitModel>("no pixels", Examples.labels, "\"height\": 224" to "\"height\": 0"),
        refusal<UnfitModel>("columns first", Examples.binary, "horizontal-first" to "vertical-first"),
        refusal<UnfitModel>("another stretch", Examples.labels, "\"stretch\"" to "\"crop\""),
        refusal<UnfitModel>("no label for poor photos", Examples.labels, "\"poor_quality\"]" to "\"good\"]"),
        refusal<UnfitModel>("a label twice", Examples.labels, "[\"lesion\", " to "[\"poor_quality\", "),
        refusal<UnfitModel>("no hint", Examples.labels, "{\"blurry\": \"Hold the phone still\"}" to "{}"),
        refusal<UnfitModel>("a threshold above 1", Examples.labels, "0.25" to "1.25"),
        refusal<UnfitModel>("an output of another size", Examples.labels, "[1, 2]" to "[1, 3]"),
        refusal<UnfitModel>("no such output", Examples.labels, "\"name\": \"attention\"" to "\"name\": \"heat\""),
        refusal<UnfitModel>("an output twice", Examples.labels, "\"name\": \"attention\"" to "\"name\": \"quality\""),
        refusal<UnfitModel>("a region outside", Examples.binary, "\"left\": 0.5" to "\"left\": 0.75"),
        refusal<UnfitModel>("a region twice", Examples.binary, "\"name\": \"right\"" to "\"name\": \"left\""),
        refusal<UnfitModel>("labels and a binary decision", Examples.binary, "\"binary\": {" to "\"labels\": [\"a\"], \"binary\": {"),
        refusal<UnfitModel>("more votes than raters", Examples.binary, "\"good_when_at_least\": 2" to "\"good_when_at_least\": 5"),
        refusal<UnfitModel>("one output for two parts", Examples.binary, "\"output\": \"ranks\"" to "\"output\": \"regions\""),
        refusal<UnfitModel>("fewer ranks than raters", Examples.binary, "[1, 4]" to "[1, 3]"),
    )

    private inline fun <reified T : ModelException> refusal(name: String, spec: String, change: Pair<String, String>) =
        dynamicTest(name) {
            assertTrue(change.first in spec, "nothing to change")
            val text = spec.replaceFirst(change.first, change.second)
            val error = assertThrows(T::class.java) { readSpec(text, "model.tflite") }
            assertTrue("model.tflite" in error.message.orEmpty(), error.message)
        }

    private fun metadata(spec: String): String =
        Json.encodeToString(buildJsonObject { put("license", JsonPrimitive("Apache-2.0")); put("spec", JsonPrimitive(spec)) })

    private fun zipBehind(model: ByteArray, metadata: String): ByteArray {
        val bytes = metadata.toByteArray()
        val out = ByteArrayOutputStream()
        out.write(model)
        val zip = ByteArrayOutputStream()
        ZipOutputStream(zip).use {
            val entry = ZipEntry("spec.json").apply { method = ZipEntry.STORED; size = bytes.size.toLong() }
            entry.crc = CRC32().apply { update(bytes) }.value
            it.putNextEntry(entry)
            it.write(bytes)
        }
        // Offsets count from the file's beginning, as Python's zipfile writes them when it appends.
        val shifted = ByteBuffer.wrap(zip.toByteArray()).order(java.nio.ByteOrder.LITTLE_ENDIAN)
        val end = shifted.limit() - 22
        shifted.putInt(shifted.getInt(end + 16) + 42, model.size)
        shifted.putInt(end + 16, shifted.getInt(end + 16) + model.size)
        out.write(shifted.array())
        return out.toByteArray()
    }
}
