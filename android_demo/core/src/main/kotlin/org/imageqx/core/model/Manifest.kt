package org.imageqx.core.model

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonElement
import org.imageqx.core.ModelMissing

private val MANIFEST_VERSIONS = listOf(1)

/**
 * What an export wrote: `manifest.json`.
 *
 * @property model the model's name.
 * @property artifacts one entry a file.
 * @property checkpointSha256 of the checkpoint that all of them were made from.
 */
public data class Manifest(val model: String, val artifacts: List<Artifact>, val checkpointSha256: String = "") {
    /**
     * Returns the entry of a file.
     *
     * @throws ModelMissing there is none of this name.
     */
    public fun get(path: String): Artifact =
        artifacts.firstOrNull { it.path == path } ?: throw ModelMissing("$path in the manifest of $model")

    /**
     * Returns the file to run on an accelerator, by what was proved of it: the first that was right there, and whole.
     *
     * @param format `"tflite"` or `"onnx"`.
     * @param target the kind of accelerator: `"gpu"`, `"qualcomm"` or `"ethos-u"`.
     * @param candidates the files that the app has, by path; all of the manifest's unless given.
     * @param chip this phone's chip, as `Build.SOC_MODEL` names it, such as `"SM8650"`; null where it is not known.
     * @return null where the processor is the only place that is known to be right.
     */
    public fun chooseFor(
        format: String,
        target: String,
        candidates: Collection<String>? = null,
        chip: String? = null,
    ): Artifact? =
        artifacts.firstOrNull {
            it.format == format && it.isProved(target, chip) && (candidates == null || it.path in candidates)
        }
}

/**
 * One exported file.
 *
 * @property path relative to the manifest.
 * @property format `"onnx"`, `"tflite"` or `"coreml"`.
 * @property precision `"fp32"`, `"fp16"`, `"w8"` or `"w8a8"`.
 * @property sha256 the file's digest, hexadecimal.
 * @property sizeBytes the file's size.
 * @property spec what its outputs mean.
 * @property proofs what was shown of it on accelerators; empty where nothing was.
 */
public data class Artifact(
    val path: String,
    val format: String,
    val precision: String,
    val sha256: String,
    val sizeBytes: Long,
    val spec: ModelSpec,
    val proofs: List<Proof>,
) {
    /**
     * Tells whether some proof says that all of it runs on this kind of accelerator, and right, and none says wrong.
     *
     * @param target the kind of accelerator.
     * @param chip this phone's chip, of which alone a wrong answer counts; null where it is not known: then any does.
     */
    public fun isProved(target: String, chip: String? = null): Boolean {
        val ofTarget = proofs.filter { it.target == target }
        val wrong = ofTarget.filter { it.verdict == "wrong" && (chip == null || chip in it.chips) }
        return wrong.isEmpty() && ofTarget.any { it.verdict == "right" && it.whole }
    }
}

/**
 * What was shown of one file on one kind of accelerator.
 *
 * @property target `"gpu"`, `"qualcomm"` or `"ethos-u"`.
 * @property chips on which of the target's chips it holds.
 * @property verdict `"right"`, `"wrong"`, `"refused"` or `"estimated"`.
 * @property whole whether every operation runs there.
 * @property silicon whether a real chip said so.
 */
@Serializable
public data class Proof(
    val target: String,
    val chips: List<String>,
    val verdict: String,
    val whole: Boolean,
    val silicon: Boolean = false,
)

/**
 * Reads `manifest.json`.
 *
 * @param text its JSON.
 * @param where what errors call it.
 */
public fun readManifest(text: String, where: String): Manifest {
    val element = parse(text, where)
    checkVersion(element, where, MANIFEST_VERSIONS)
    val manifest = decode<ManifestJson>(element, where)
    return Manifest(manifest.model, manifest.artifacts.map { it.toArtifact(where) }, manifest.checkpointSha256)
}

@Serializable
private class ManifestJson(
    val model: String,
    val artifacts: List<ArtifactJson>,
    @SerialName("checkpoint_sha256") val checkpointSha256: String = "",
)

@Serializable
private class ArtifactJson(
    val path: String,
    val format: String,
    val precision: String,
    val spec: JsonElement,
    val sha256: String,
    @SerialName("size_bytes") val sizeBytes: Long,
    val proofs: List<Proof> = emptyList(),
) {
    fun toArtifact(where: String) =
        Artifact(path, format, precision, sha256, sizeBytes, readSpec(spec, "$where: $path"), proofs)
}
