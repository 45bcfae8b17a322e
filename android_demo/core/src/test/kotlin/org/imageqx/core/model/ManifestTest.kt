package org.imageqx.core.model

import org.imageqx.core.ModelDamaged
import org.imageqx.core.ModelMissing
import org.imageqx.core.ModelSwapped
import org.imageqx.core.UnknownSchemaVersion
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer

/** Of "abc": FIPS 180-2, appendix B.1. */
private const val ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

class ManifestTest {
    private val manifest = readManifest(write("a.tflite" to "refused", "b.tflite" to "right"), "manifest.json")

    @Test
    fun `finds a file by its name, and says which is missing`() {
        assertEquals(ABC, manifest.get("a.tflite").sha256)
        assertThrows(ModelMissing::class.java) { manifest.get("c.tflite") }
    }

    @Test
    fun `chooses the first file that was proved right on an accelerator`() {
        assertEquals("b.tflite", manifest.chooseFor("tflite", "gpu")?.path)
        assertNull(manifest.chooseFor("onnx", "gpu"))
        assertNull(manifest.chooseFor("tflite", "qualcomm"))
        assertNull(manifest.chooseFor("tflite", "gpu", candidates = listOf("a.tflite")))
    }

    @Test
    fun `a file that is wrong on one chip, or not whole, is not proved`() {
        val right = Proof("gpu", listOf("any"), "right", whole = true)
        val artifact = manifest.get("b.tflite")
        assertTrue(artifact.copy(proofs = listOf(right)).isProved("gpu"))
        assertFalse(artifact.copy(proofs = listOf(right.copy(whole = false))).isProved("gpu"))
        assertFalse(artifact.copy(proofs = listOf(right, right.copy(verdict = "wrong"))).isProved("gpu"))
    }

    @Test
    fun `a wrong answer counts for its chips, and for a chip that is not known`() {
        val right = Proof("qualcomm", listOf("SM8550", "SM8650"), "right", whole = true)
        val wrong = Proof("qualcomm", listOf("SM8350", "SM8450"), "wrong", whole = true)
        val artifact = manifest.get("b.tflite").copy(proofs = listOf(wrong, right))
        assertTrue(artifact.isProved("qualcomm", "SM8650"))
        assertTrue(artifact.isProved("qualcomm", "SM8850")) // no proof names it: the self-test decides
        assertFalse(artifact.isProved("qualcomm", "SM8450"))
        assertFalse(artifact.isProved("qualcomm"))
    }

    @Test
    fun `holds a file to its digest`() {
        val artifact = manifest.get("a.tflite")
        checkDigest(artifact, ByteBuffer.wrap("abc".toByteArray()))
        assertThrows(ModelSwapped::class.java) { checkDigest(artifact, ByteBuffer.wrap("abd".toByteArray())) }
        assertThrows(ModelDamaged::class.java) { checkDigest(artifact, ByteBuffer.wrap("ab".toByteArray())) }
    }

    @Test
    fun `refuses a newer manifest`() {
        val text = write().replace("\"schema_version\": 1", "\"schema_version\": 2")
        assertThrows(UnknownSchemaVersion::class.java) { readManifest(text, "manifest.json") }
    }

    private fun write(vararg files: Pair<String, String>): String {
        val artifacts = files.joinToString { (path, verdict) ->
            """{"path": "$path", "format": "tflite", "precision": "fp32", "sha256": "$ABC", "size_bytes": 3,
                "spec": ${Examples.labels},
                "proofs": [{"target": "gpu", "chips": ["any"], "verdict": "$verdict", "whole": true, "tool": "a"}]}"""
        }
        return """{"schema_version": 1, "model": "imageqx", "artifacts": [$artifacts]}"""
    }
}
