package org.imageqx.core.picture

import kotlin.math.ceil
import kotlin.math.max

/** Fraction bits of a weight: 32 less 8 of a sample and 2 to spare. */
internal const val WEIGHT_BITS: Int = 22

/** Half, of the sums that are shifted right by [WEIGHT_BITS]. */
internal const val WEIGHT_HALF: Int = 1 shl (WEIGHT_BITS - 1)

/**
 * The weights of one pass of a resize: output sample i is the sum of `values[start[i] + k]` times input sample
 * `first[i] + k`, for k below `count(i)`.
 *
 * Source: Pillow 13's `precompute_coeffs` and `normalize_coeffs_8bpc` in libImaging/Resample.c, whose bytes it gives.
 *
 * @property first the first input sample of each output sample.
 * @property start where its weights begin; one more at the end.
 * @property values the weights, in 2^-22.
 */
internal class Weights(val first: IntArray, val start: IntArray, val values: IntArray) {
    val outputs: Int get() = first.size

    fun count(output: Int): Int = start[output + 1] - start[output]

    /** Where an output's last input sample lies, plus 1. */
    fun end(output: Int): Int = first[output] + count(output)

    /** Returns an output's weight of an input sample; 0 for one that it does not have. */
    fun at(output: Int, input: Int): Int =
        if (input in first[output] until end(output)) values[start[output] + input - first[output]] else 0

    /** Returns the most outputs that are begun and not ended at any input sample. */
    fun countOpen(): Int {
        var oldest = 0
        var most = 0
        for (output in 0 until outputs) {
            while (end(oldest) <= first[output]) oldest++
            most = max(most, output - oldest + 1)
        }
        return most
    }
}

/**
 * Computes the weights of a triangle filter that is as wide as the scale, and at least as a sample.
 *
 * @param inputs samples there are.
 * @param from where the photo begins among them.
 * @param to where it ends.
 * @param outputs samples there shall be.
 */
internal fun computeWeights(inputs: Int, from: Double, to: Double, outputs: Int): Weights {
    val scale = (to - from) / outputs
    val reach = max(scale, 1.0)
    val first = IntArray(outputs)
    val start = IntArray(outputs + 1)
    val values = IntArray(outputs * (ceil(reach).toInt() * 2 + 1))
    val exact = DoubleArray(ceil(reach).toInt() * 2 + 1)
    for (output in 0 until outputs) {
        val center = from + (output + 0.5) * scale
        val begin = max(0, (center - reach + 0.5).toInt())
        val count = minOf(inputs, (center + reach + 0.5).toInt()) - begin
        val sum = weigh(exact, begin, count, center, 1.0 / reach)
        // Weights of 0 at either end are left out, so that a picture that shrinks has no sample in three outputs.
        var left = 0
        var right = count
        while (left < right - 1 && round(exact[left], sum) == 0) left++
        while (right > left + 1 && round(exact[right - 1], sum) == 0) right--
        first[output] = begin + left
        start[output + 1] = start[output] + right - left
        for (k in left until right) values[start[output] + k - left] = round(exact[k], sum)
    }
    return Weights(first, start, values)
}

private fun round(weight: Double, sum: Double): Int =
    (0.5 + (if (sum != 0.0) weight / sum else weight) * (1 shl WEIGHT_BITS)).toInt()

private fun weigh(into: DoubleArray, begin: Int, count: Int, center: Double, perReach: Double): Double {
    var sum = 0.0
    for (k in 0 until count) {
        val distance = (k + begin - center + 0.5) * perReach
        into[k] = max(0.0, 1.0 - kotlin.math.abs(distance))
        sum += into[k]
    }
    return sum
}
