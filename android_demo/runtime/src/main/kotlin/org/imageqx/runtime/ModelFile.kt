package org.imageqx.runtime

import org.imageqx.core.ModelException
import org.imageqx.core.ModelMissing
import org.imageqx.core.model.Manifest
import org.imageqx.core.model.checkDigest
import org.imageqx.core.model.readManifest
import java.io.File
import java.io.FileNotFoundException
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

private const val MANIFEST = "manifest.json"

/** A model's whole file: [name] for errors, [bytes] mapped or direct. */
public class ModelFile internal constructor(internal val name: String, internal val bytes: ByteBuffer)

/** Where an export's files lie: a folder, or an app's assets. */
public fun interface ArtifactSource {
    /**
     * Returns a file's bytes, mapped or direct.
     *
     * @throws ModelMissing there is no such file.
     */
    public fun read(path: String): ByteBuffer
}

/** An export's folder. */
public class ArtifactFolder(private val folder: File) : ArtifactSource {
    override fun read(path: String): ByteBuffer = try {
        RandomAccessFile(File(folder, path), "r").use { it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.length()) }
    } catch (error: FileNotFoundException) {
        throw ModelMissing("$path in $folder", error)
    }
}

/**
 * Reads the manifest of an export.
 *
 * @throws ModelException it is missing, or not valid.
 */
public fun ArtifactSource.readManifest(): Manifest = readManifest(readText(MANIFEST), MANIFEST)

/** Returns a file as text, in UTF-8. */
internal fun ArtifactSource.readText(path: String): String = Charsets.UTF_8.decode(read(path)).toString()

/**
 * Returns a model's file, held to the manifest: no other file is ever run.
 *
 * @throws ModelException it is missing, damaged, or another one than the manifest names.
 */
public fun ArtifactSource.readModel(manifest: Manifest, path: String): ModelFile {
    val artifact = manifest.get(path)
    val bytes = read(path)
    checkDigest(artifact, bytes)
    return ModelFile(path, bytes)
}
