package org.imageqx.runtime

import org.imageqx.core.ModelDamaged
import org.imageqx.core.ModelFailed
import org.imageqx.core.UnfitModel
import org.imageqx.core.model.ModelSpec
import org.imageqx.core.model.checkRuntime
import org.imageqx.core.model.readEmbeddedSpec
import org.imageqx.core.picture.Pixels
import org.imageqx.core.verdict.Outputs
import org.imageqx.core.verdict.check
import org.tensorflow.lite.Delegate
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.TensorFlowLite
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer

/**
 * TensorFlow Lite, or LiteRT under its old names: the phone's processor through XNNPACK, or a delegate.
 *
 * XNNPACK's cache of packed weights is left off: one that an older model left would give that model's answers.
 *
 * On the processor, a model is held to its spec's `min_runtime`: TensorFlow Lite's kernels round integers otherwise than
 * LiteRT's XNNPACK. On an accelerator these kernels do not compute, and its self-test decides.
 *
 * @param threads of the processor.
 * @param makeDelegate makes the accelerator's delegate, which is closed with the model; null for the processor.
 * @param library `"tflite-runtime"` for TensorFlow Lite, or `"litert"`; null goes by the version, of which LiteRT's began
 * anew at 1.0.
 */
public class TfliteRuntime(
    private val threads: Int = 2,
    private val makeDelegate: (() -> Delegate)? = null,
    private val library: String? = null,
) : ModelRuntime {
    override val format: String get() = "tflite"

    override fun open(file: ModelFile): QualityModel {
        val spec = readEmbeddedSpec(file.bytes, file.name)
        if (makeDelegate == null) {
            val version = TensorFlowLite.runtimeVersion()
            spec.checkRuntime(library ?: nameLibrary(version), version, file.name)
        }
        val delegate = makeDelegate?.invoke()
        val options = Interpreter.Options().setNumThreads(threads)
        delegate?.let { options.addDelegate(it) }
        val interpreter = try {
            Interpreter(file.bytes, options)
        } catch (error: IllegalArgumentException) { // a file that is none, or that this version does not know
            val got = "TensorFlow Lite: ${error.message}"
            if (delegate == null) throw ModelDamaged(file.name, got, error)
            delegate.close()
            throw ModelFailed(file.name, got, error)
        }
        val on = if (delegate == null) "$threads threads" else delegate.javaClass.simpleName
        return try {
            TfliteModel(file.name, spec, interpreter, delegate, "TensorFlow Lite ${TensorFlowLite.runtimeVersion()}, $on")
        } catch (error: UnfitModel) {
            interpreter.close()
            delegate?.close()
            throw error
        }
    }
}

/** TensorFlow Lite has reached 2.16; LiteRT began anew at 1.0, and has reached 2.3. */
private fun nameLibrary(version: String): String {
    val (major, minor) = version.split('.').map { it.toIntOrNull() ?: 0 } + listOf(0, 0)
    return if (major == 2 && minor >= 7) "tflite-runtime" else "litert"
}

private class TfliteModel(
    private val name: String,
    override val spec: ModelSpec,
    private val interpreter: Interpreter,
    private val delegate: Delegate?,
    override val runtime: String,
) : QualityModel {
    private val signature = interpreter.signatureKeys.singleOrNull()
        ?: throw UnfitModel(name, "one signature", interpreter.signatureKeys.joinToString().ifEmpty { "none" })
    // Of another byte order it would be copied, from its position on.
    private val input = ByteBuffer.allocateDirect(spec.input.size).order(ByteOrder.nativeOrder())
    private val outputs: Map<String, FloatBuffer> = spec.outputs.associate { it.name to allocate(it.size) }

    init {
        val names = interpreter.getSignatureOutputs(signature).toSet()
        if (names != outputs.keys) throw UnfitModel("$name: outputs", outputs.keys.toString(), names.toString())
    }

    override fun run(pixels: Pixels): Outputs {
        // As a Buffer: the same methods of ByteBuffer are missing on Android 8.
        (input as Buffer).clear()
        input.put(pixels.bytes)
        (input as Buffer).rewind()
        outputs.values.forEach { (it as Buffer).rewind() }
        try {
            interpreter.runSignature(mapOf(spec.input.name to input), outputs, signature)
        } catch (error: RuntimeException) { // IllegalArgumentException and IllegalStateException, of native failures too
            throw ModelFailed(name, "TensorFlow Lite: ${error.message}", error)
        }
        return Outputs(outputs.mapValues { (_, numbers) -> FloatArray(numbers.capacity()) { numbers.get(it) } }).check(spec)
    }

    override fun close() {
        interpreter.close()
        delegate?.close()
    }

    private fun allocate(size: Int): FloatBuffer =
        ByteBuffer.allocateDirect(Float.SIZE_BYTES * size).order(ByteOrder.nativeOrder()).asFloatBuffer()
}
