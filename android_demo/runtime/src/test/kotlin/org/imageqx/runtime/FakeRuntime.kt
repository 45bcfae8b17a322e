package org.imageqx.runtime

import org.imageqx.core.model.ModelSpec
import org.imageqx.core.picture.Pixels
import org.imageqx.core.verdict.Outputs

/** A runtime that answers with what it is told to. */
class FakeRuntime(
    override val format: String = "tflite",
    private val onOpen: () -> Unit = {},
    private val answer: (Int) -> Outputs,
) : ModelRuntime {
    var opened = 0
        private set
    var asked = 0
        private set
    var closed = 0
        private set

    override fun open(file: ModelFile): QualityModel {
        opened++
        onOpen()
        return FakeModel(Export.manifest.get(file.name).spec)
    }

    private inner class FakeModel(override val spec: ModelSpec) : QualityModel {
        override val runtime = "fake"

        override fun run(pixels: Pixels) = answer(asked++)

        override fun close() {
            closed++
        }
    }
}

/** A memory that forgets with the test. */
class FakeMemory(private val kept: MutableMap<String, String> = mutableMapOf()) : SelfTestMemory {
    val values: Collection<String> get() = kept.values

    override fun get(key: String): String? = kept[key]

    override fun put(key: String, value: String) {
        kept[key] = value
    }

    override fun remove(key: String) {
        kept.remove(key)
    }
}
