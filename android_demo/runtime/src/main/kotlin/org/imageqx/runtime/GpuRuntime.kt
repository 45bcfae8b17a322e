package org.imageqx.runtime

import org.tensorflow.lite.Delegate
import org.tensorflow.lite.gpu.GpuDelegate
import org.tensorflow.lite.gpu.GpuDelegateFactory

/** What a manifest's proofs call a phone's GPU. */
public const val GPU: String = "gpu"

/**
 * Returns TensorFlow Lite on the phone's GPU, through OpenCL or else OpenGL: for an [Accelerator] alone, as it may compute a
 * file wrong and say nothing.
 *
 * It computes in float16 where the GPU does; the self-test's tolerance is made for that. A model must be run by the
 * thread that opened it. Opening one fails with a [LinkageError] in an app without TensorFlow Lite's libraries for GPUs.
 */
public fun makeGpuRuntime(): ModelRuntime = TfliteRuntime(makeDelegate = ::makeGpuDelegate)

private fun makeGpuDelegate(): Delegate {
    val options = GpuDelegateFactory.Options()
    options.setInferencePreference(GpuDelegateFactory.Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED)
    return GpuDelegate(options)
}
