package org.imageqx.runtime


/** Needs the native library of TensorFlow Lite: see android_demo/tools/tflite. */
class TfliteRuntimeTest : GoldenContract(TfliteRuntime(threads = 1)) {
    /** Version 2.16.1 rounds the integer MEAN otherwise than XNNPACK of today; docs say which versions agree. */
    override val known = mapOf("w8a8" to "TensorFlow Lite 2.16.1 is beyond the tolerance on w8a8")
}
