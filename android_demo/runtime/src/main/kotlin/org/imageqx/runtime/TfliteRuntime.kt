package org.imageqx.runtime

import org.imageqx.core.ModelDamaged
import org.imageqx.core.ModelFailed
import org.imageqx.core.UnfitModel
import org.imageqx.core.model.ModelSpec
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
 * @param threads of the processor.
 * @param makeDelegate makes the accelerator's delegate, which is closed with the model; null for the processor.
 */
public class TfliteRuntime(
    private val threads: Int = 2,
    private val makeDelegate: (() -> Delegate)? = null,
) : ModelRuntime {
    override val format: String get() = "tflite"

    override fun open(file: ModelFile): QualityModel {
        val spec = readEmbeddedSpec(file.bytes, file.name)
        val delegate = makeDelegate?.invoke()
        val options = Interpreter.Options().setNumThreads(threads)
        delegate?.let { options.addDelegate(it) }
        val interpreter = try {
            Interpreter(file.bytes, options)
        } catch (error: IllegalArgumentException) { // a file that is none, or that this version does not know
            delegate?.close()
            throw ModelDamaged(file.name, "TensorFlow Lite: ${error.message}", error)
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
