package org.imageqx.demo.assess

import android.content.res.AssetManager
import org.imageqx.core.ModelMissing
import org.imageqx.core.model.Artifact
import org.imageqx.core.model.Manifest
import org.imageqx.runtime.ArtifactSource
import org.imageqx.runtime.QualityModel
import org.imageqx.runtime.TfliteRuntime
import org.imageqx.runtime.readManifest
import org.imageqx.runtime.readModel
import java.io.FileNotFoundException
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/** The export in this app's assets: its manifest, and those of its files that the app was built with. */
internal class AssetSource(private val assets: AssetManager) : ArtifactSource {
    override fun read(path: String): ByteBuffer = try {
        map("$FOLDER/$path")
    } catch (_: FileNotFoundException) { // compressed, or not there
        copy("$FOLDER/$path")
    }

    /** The manifest's entries whose files are here, for one runtime. */
    fun listPresent(manifest: Manifest, format: String): List<Artifact> {
        val names = assets.list(FOLDER).orEmpty().toSet()
        return manifest.artifacts.filter { it.format == format && it.path in names }
    }

    /** A stored file is mapped where it lies in the APK, without a copy. */
    private fun map(path: String): ByteBuffer = assets.openFd(path).use { file ->
        file.createInputStream().channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
    }

    private fun copy(path: String): ByteBuffer = try {
        val bytes = assets.open(path).use { it.readBytes() }
        ByteBuffer.allocateDirect(bytes.size).put(bytes).also { (it as java.nio.Buffer).flip() }
    } catch (error: IOException) {
        throw ModelMissing(path, error)
    }

    companion object {
        /** Where the Gradle task `takeModel` puts them. */
        const val FOLDER = "imageqx"
    }
}

/** Opens the model that this app was built with, held to its digest in the manifest. */
internal fun AssetSource.openOnly(threads: Int): QualityModel {
    val runtime = TfliteRuntime(threads)
    val manifest = readManifest()
    val present = listPresent(manifest, runtime.format)
    val chosen = present.firstOrNull() ?: throw ModelMissing("a .${runtime.format} of ${manifest.model} in the app")
    return runtime.open(readModel(manifest, chosen.path))
}
