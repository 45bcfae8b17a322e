package org.imageqx.runtime

import org.imageqx.core.model.Artifact
import org.imageqx.core.model.Manifest
import org.imageqx.core.picture.ArgbPicture
import org.imageqx.core.picture.Picture
import org.imageqx.core.picture.Pixels
import org.imageqx.core.selftest.readExpectedOutputs
import org.imageqx.core.selftest.readSelfTest
import org.imageqx.core.verdict.Outputs
import java.io.ByteArrayInputStream
import java.io.File
import java.nio.ByteBuffer
import javax.imageio.ImageIO

/** What `imageqx export` wrote, and its golden pictures with PyTorch's outputs. */
object Export {
    val folder: File = File(requireNotNull(System.getProperty("imageqx.artifacts")) { "-Dimageqx.artifacts=FOLDER" })
    val source = ArtifactFolder(folder)
    val manifest: Manifest = source.readManifest()
    private val selfTest = readSelfTest(source.readText("golden/self_test.json"), "self_test.json")

    /** Names of the golden pictures. */
    val pictures: List<String> = selfTest.pictures

    fun files(format: String): List<Artifact> = manifest.artifacts.filter { it.format == format }

    /** PyTorch's outputs for every golden picture, in the precision of this file. */
    fun expected(artifact: Artifact): List<Outputs> {
        val name = selfTest.expectations.getValue(artifact.precision).outputs
        val rows = readExpectedOutputs(source.readText("golden/$name"), name)
        return pictures.map { rows.getValue(it) }
    }

    fun pixels(name: String): Pixels = decode(source.read("golden/$name"))

    /** Reads a PNG of the model's size. */
    fun decode(file: ByteBuffer): Pixels {
        val argb = readArgb(file)
        val bytes = ByteArray(argb.pixels.size * 3) { (argb.pixels[it / 3] shr (16 - 8 * (it % 3))).toByte() }
        return Pixels(argb.width, argb.height, bytes)
    }

    fun picture(name: String): Picture =
        readArgb(source.read("golden/$name")).let { ArgbPicture(it.width, it.height, it.pixels, isOpaque = true) }

    private fun readArgb(file: ByteBuffer): Argb {
        val bytes = ByteArray(file.remaining()).also { file.duplicate().get(it) }
        val image = ImageIO.read(ByteArrayInputStream(bytes))
        return Argb(image.width, image.height, image.getRGB(0, 0, image.width, image.height, null, 0, image.width))
    }

    private class Argb(val width: Int, val height: Int, val pixels: IntArray)
}
