package org.imageqx.runtime

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import org.imageqx.core.ModelDamaged
import org.imageqx.core.ModelFailed
import org.imageqx.core.UnfitModel
import org.imageqx.core.model.ModelSpec
import org.imageqx.core.model.checkRuntime
import org.imageqx.core.model.readSpec
import org.imageqx.core.picture.Pixels
import org.imageqx.core.verdict.Outputs
import org.imageqx.core.verdict.check
import java.nio.Buffer
import java.nio.ByteBuffer

private const val SPEC_KEY = "spec"

/**
 * ONNX Runtime, on the phone's processor.
 *
 * @param threads of the processor.
 */
public class OnnxRuntime(private val threads: Int = 2) : ModelRuntime {
    override val format: String get() = "onnx"

    override fun open(file: ModelFile): QualityModel {
        val environment = OrtEnvironment.getEnvironment()
        val session = try {
            OrtSession.SessionOptions().use { options ->
                options.setIntraOpNumThreads(threads)
                environment.createSession(file.bytes.duplicate(), options)
            }
        } catch (error: OrtException) {
            throw ModelDamaged(file.name, "ONNX Runtime: ${error.message}", error)
        }
        return try {
            val text = session.metadata.customMetadata[SPEC_KEY] ?: throw ModelDamaged(file.name, "metadata without a spec")
            val spec = readSpec(text, file.name)
            spec.checkRuntime("onnxruntime", environment.version, file.name)
            checkNames(file.name, spec, session)
            OnnxModel(file.name, spec, environment, session, "ONNX Runtime ${environment.version}, $threads threads")
        } catch (error: Exception) {
            session.close()
            throw error
        }
    }

    private fun checkNames(where: String, spec: ModelSpec, session: OrtSession) {
        val wanted = listOf(spec.input.name) + spec.outputs.map { it.name }
        val names = session.inputNames + session.outputNames
        if (names != wanted.toSet()) throw UnfitModel("$where: inputs and outputs", wanted.toString(), names.toString())
    }
}

private class OnnxModel(
    private val name: String,
    override val spec: ModelSpec,
    private val environment: OrtEnvironment,
    private val session: OrtSession,
    override val runtime: String,
) : QualityModel {
    private val input = ByteBuffer.allocateDirect(spec.input.size)
    private val shape = spec.input.shape.map { it.toLong() }.toLongArray()

    override fun run(pixels: Pixels): Outputs {
        // As a Buffer: the same methods of ByteBuffer are missing on Android 8.
        (input as Buffer).clear()
        input.put(pixels.bytes)
        (input as Buffer).rewind()
        return try {
            OnnxTensor.createTensor(environment, input, shape, OnnxJavaType.UINT8).use { tensor ->
                session.run(mapOf(spec.input.name to tensor)).use { read(it) }
            }
        } catch (error: OrtException) {
            throw ModelFailed(name, "ONNX Runtime: ${error.message}", error)
        }
    }

    private fun read(result: OrtSession.Result): Outputs = Outputs(
        spec.outputs.associate { output ->
            val numbers = (result.get(output.name).get() as OnnxTensor).floatBuffer
            output.name to FloatArray(numbers.remaining()) { numbers.get(it) }
        },
    ).check(spec)

    override fun close() = session.close()
}
