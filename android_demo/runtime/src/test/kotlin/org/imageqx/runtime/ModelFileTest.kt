package org.imageqx.runtime

import org.imageqx.core.ModelDamaged
import org.imageqx.core.ModelMissing
import org.imageqx.core.ModelSwapped
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.io.File

class ModelFileTest {
    @TempDir
    private lateinit var folder: File
    private val artifact = Export.manifest.artifacts.first { it.format == "tflite" }

    @Test
    fun `a model that is missing`() {
        assertThrows(ModelMissing::class.java) { ArtifactFolder(folder).readModel(Export.manifest, artifact.path) }
        assertThrows(ModelMissing::class.java) { ArtifactFolder(folder).readManifest() }
    }

    @Test
    fun `a model that is cut off`() {
        copy { it.copyOf(it.size - 1) }
        assertThrows(ModelDamaged::class.java) { ArtifactFolder(folder).readModel(Export.manifest, artifact.path) }
    }

    @Test
    fun `a model that is another one`() {
        copy { bytes -> bytes.also { it[it.size / 2] = (it[it.size / 2] + 1).toByte() } }
        assertThrows(ModelSwapped::class.java) { ArtifactFolder(folder).readModel(Export.manifest, artifact.path) }
    }

    @Test
    fun `a manifest that is none`() {
        File(folder, "manifest.json").writeText("{\"schema_version\": 1")
        assertThrows(ModelDamaged::class.java) { ArtifactFolder(folder).readManifest() }
    }

    private fun copy(change: (ByteArray) -> ByteArray) {
        File(folder, artifact.path).writeBytes(change(File(Export.folder, artifact.path).readBytes()))
    }
}
