package org.imageqx.demo.bench

import android.content.Context
import org.imageqx.core.picture.Pixels
import org.imageqx.demo.assess.appArtifacts
import org.imageqx.demo.assess.listPresent
import org.imageqx.runtime.QualityModel
import org.imageqx.runtime.TfliteRuntime
import org.imageqx.runtime.readManifest
import org.imageqx.runtime.readModel
import org.tensorflow.lite.TensorFlowLite

/** Reads what a run of this app says of the phone and of the models that the app was built with. */
internal fun readRunFacts(context: Context): RunFacts {
    val manifest = context.appArtifacts.readManifest()
    val models = context.listPresent(manifest, TfliteRuntime().format)
        .map { BenchModel(it.path, it.sha256, it.format, it.precision, it.sizeBytes) }
    val versions = mapOf("tensorflow-lite" to TensorFlowLite.runtimeVersion())
    return RunFacts(readMachine(context), versions, manifest.checkpointSha256, models)
}

/** Loads one of the app's models as `imageqx bench` does, and returns one inference on a fixed picture of noise. */
internal fun loadAppInference(context: Context, file: String, threads: Int): () -> Unit {
    val source = context.appArtifacts
    val model = TfliteRuntime(threads).open(source.readModel(source.readManifest(), file))
    val pixels = makeNoise(model)
    return { model.run(pixels) }
}

/** The picture of `imageqx bench`: Knuth's multiplicative hash of each position. */
internal fun makeNoise(model: QualityModel): Pixels {
    val size = model.spec.preprocessing
    val bytes = ByteArray(size.width * size.height * Pixels.CHANNELS) { ((it * 2654435761L) ushr 24).toByte() }
    return Pixels(size.width, size.height, bytes)
}
