package org.imageqx.consumer

import org.imageqx.core.picture.ArgbPicture
import org.imageqx.runtime.ArtifactFolder
import org.imageqx.runtime.OnnxRuntime
import org.imageqx.runtime.PhotoAssessor
import org.imageqx.runtime.TfliteRuntime
import org.imageqx.runtime.readManifest
import org.imageqx.runtime.readModel
import java.io.File
import javax.imageio.ImageIO

/** Another app, to be shrunk: takes an export's folder, a file in it and PNGs, and prints what it says of each. */
fun main(arguments: Array<String>) {
    val source = ArtifactFolder(File(arguments[0]))
    val path = arguments[1]
    val runtime = if (path.endsWith(".onnx")) OnnxRuntime(threads = 1) else TfliteRuntime(threads = 1)
    PhotoAssessor(runtime.open(source.readModel(source.readManifest(), path))).use { assessor ->
        for (name in arguments.drop(2)) {
            val image = ImageIO.read(File(name))
            val argb = image.getRGB(0, 0, image.width, image.height, null, 0, image.width)
            val verdict = assessor.assess(ArgbPicture(image.width, image.height, argb, isOpaque = true)).verdict
            println("${verdict.retake} ${verdict.hints.joinToString("; ") { it.text }}")
        }
    }
}
