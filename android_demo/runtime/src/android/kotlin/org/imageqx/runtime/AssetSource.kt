package org.imageqx.runtime

import android.content.res.AssetManager
import org.imageqx.core.ModelMissing
import java.io.FileNotFoundException
import java.io.IOException
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/** An export in an app's assets. A file that is stored uncompressed is mapped where it lies in the APK, without a copy. */
public class AssetSource(private val assets: AssetManager, private val folder: String = "imageqx") : ArtifactSource {
    override fun read(path: String): ByteBuffer {
        val name = "$folder/$path"
        return try {
            assets.openFd(name).use { file ->
                file.createInputStream().channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
            }
        } catch (_: FileNotFoundException) { // compressed, or not there
            copy(name)
        }
    }

    private fun copy(name: String): ByteBuffer = try {
        val bytes = assets.open(name).use { it.readBytes() }
        // As a Buffer: the same method of ByteBuffer is missing on Android 8.
        ByteBuffer.allocateDirect(bytes.size).put(bytes).also { (it as Buffer).flip() }
    } catch (error: IOException) {
        throw ModelMissing(name, error)
    }
}
