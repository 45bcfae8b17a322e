package org.imageqx.demo.assess

import android.content.Context
import org.imageqx.core.ModelMissing
import org.imageqx.core.model.Artifact
import org.imageqx.core.model.Manifest
import org.imageqx.demo.state.Computing
import org.imageqx.runtime.AssetSource
import org.imageqx.runtime.OpenedModel
import org.imageqx.runtime.PreferencesMemory
import org.imageqx.runtime.TfliteRuntime
import org.imageqx.runtime.decodeGolden
import org.imageqx.runtime.findGpu
import org.imageqx.runtime.openModel
import org.imageqx.runtime.readManifest

/** Where the Gradle task `takeModel` puts the manifest and the model. */
private const val FOLDER = "imageqx"

/** The preferences that keep what accelerators answered. */
private const val SELF_TESTS = "self-tests"

/** The export in this app's assets. */
internal val Context.appArtifacts: AssetSource
    get() = AssetSource(assets, FOLDER)

/** Lists the manifest's entries whose files this app was built with, for one runtime's format. */
internal fun Context.listPresent(manifest: Manifest, format: String): List<Artifact> {
    val names = assets.list(FOLDER).orEmpty().toSet()
    return manifest.artifacts.filter { it.format == format && it.path in names }
}

/**
 * Opens the model that this app was built with, held to its digest in the manifest: on the phone's GPU where the manifest's
 * proofs and the golden self-test say that it is right there, and else, or where [computing] says so, on the processor.
 */
internal fun Context.openAppModel(threads: Int, computing: Computing): OpenedModel {
    val runtime = TfliteRuntime(threads)
    val manifest = appArtifacts.readManifest()
    val chosen = listPresent(manifest, runtime.format).firstOrNull()
        ?: throw ModelMissing("a .${runtime.format} of ${manifest.model} in the app")
    val memory = PreferencesMemory(getSharedPreferences(SELF_TESTS, Context.MODE_PRIVATE))
    val gpu = if (computing == Computing.ANY) findGpu(this) else null
    return openModel(appArtifacts, runtime, chosen.path, gpu, memory, ::decodeGolden)
}
