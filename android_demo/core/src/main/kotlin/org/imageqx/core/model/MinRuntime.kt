package org.imageqx.core.model

import org.imageqx.core.RuntimeTooOld

/**
 * Refuses a model for which a runtime is too old; what the model says nothing of is not refused.
 *
 * @param runtime as the spec calls it: `"tflite-runtime"` is TensorFlow Lite, `"litert"`, `"onnxruntime"`.
 * @param version of the runtime, such as `"2.16.1"`.
 * @param where what errors call the file.
 * @throws RuntimeTooOld no version of the runtime gives the right numbers, or only newer ones do.
 */
public fun ModelSpec.checkRuntime(runtime: String, version: String, where: String) {
    if (runtime !in minRuntime) return
    val needed = minRuntime[runtime]
    if (needed != null && compareVersions(version, needed) >= 0) return
    val others = minRuntime.filter { (name, oldest) -> oldest != null && (name != runtime) }.map { (name, oldest) -> "$name $oldest" }
    val expected = (listOfNotNull(needed?.let { "$runtime $it" }) + others).joinToString(" or ") { "$it or newer" }
    throw RuntimeTooOld(where, expected.ifEmpty { "another file: no runtime that was asked is right" }, "$runtime $version")
}

/** Compares the numbers that two versions begin with. */
private fun compareVersions(one: String, other: String): Int {
    val (left, right) = listOf(one, other).map { text ->
        text.takeWhile { it.isDigit() || it == '.' }.split('.').map { it.toIntOrNull() ?: 0 }
    }
    for (place in 0 until maxOf(left.size, right.size)) {
        val difference = left.getOrElse(place) { 0 }.compareTo(right.getOrElse(place) { 0 })
        if (difference != 0) return difference
    }
    return 0
}
