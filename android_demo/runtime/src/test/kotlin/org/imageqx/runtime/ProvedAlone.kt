package org.imageqx.runtime

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.nio.ByteBuffer

/** The export, as if one file were proved right on a GPU, the first .tflite unless named; a fresh export may have no proofs. */
class ProvedAlone(path: String = Export.files("tflite").first().path) : ArtifactSource {
    private val manifest = Json.parseToJsonElement(Export.source.readText("manifest.json")).jsonObject
    private val proof = Json.parseToJsonElement(
        """[{"target": "$GPU", "chips": ["any"], "verdict": "right", "whole": true, "tool": "a test"}]""",
    )
    private val proved = JsonObject(
        manifest + (
            "artifacts" to JsonArray(
                manifest.getValue("artifacts").jsonArray.map { artifact ->
                    val isNamed = artifact.jsonObject.getValue("path").jsonPrimitive.content == path
                    JsonObject(artifact.jsonObject + ("proofs" to if (isNamed) proof else JsonArray(emptyList())))
                },
            )
            ),
    ).toString().toByteArray()

    override fun read(path: String): ByteBuffer = if (path == "manifest.json") ByteBuffer.wrap(proved) else Export.source.read(path)
}
