package org.imageqx.core.attention

import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.max

/** A map of one number a place, row by row. */
public class Heat(public val width: Int, public val height: Int, public val values: FloatArray) {
    init {
        require(values.size == width * height) { "expected ${width * height} numbers, got ${values.size}" }
    }

    /**
     * Returns this map at another size, by bicubic interpolation; it may overshoot.
     *
     * Source: Pillow's BICUBIC of mode F (a = -0.5), along rows first.
     */
    public fun resize(newWidth: Int, newHeight: Int): Heat {
        val wide = FloatArray(newWidth * height)
        Taps(width, newWidth).run { wide.fillFrom(values, lines = height, step = 1, line = width, outStep = 1, outLine = newWidth) }
        val big = FloatArray(newWidth * newHeight)
        Taps(height, newHeight).run { big.fillFrom(wide, lines = newWidth, step = newWidth, line = 1, outStep = newWidth, outLine = 1) }
        return Heat(newWidth, newHeight, big)
    }
}

/**
 * Cuts an output [reasons, height, width] into maps, and brings them to [0, 1] by one scale, so that a weak map looks
 * weak beside a strong one.
 *
 * @param attention the output, row by row.
 * @param shape the output's shape in the spec, with the batch: [1, reasons, height, width].
 */
public fun readHeat(attention: FloatArray, shape: List<Int>): List<Heat> {
    val (_, reasons, height, width) = shape
    val top = max(attention.maxOrNull() ?: 0f, 1e-9f)
    return List(reasons) { index ->
        Heat(width, height, FloatArray(width * height) { attention[index * width * height + it] / top })
    }
}

private const val REACH = 2.0

/** The taps of a bicubic filter, in doubles. */
private class Taps(inputs: Int, private val outputs: Int) {
    private val first = IntArray(outputs)
    private val weights: Array<DoubleArray>

    init {
        val scale = inputs.toDouble() / outputs
        val stretch = max(scale, 1.0)
        weights = Array(outputs) { output ->
            val center = (output + 0.5) * scale
            first[output] = max(0, (center - REACH * stretch + 0.5).toInt())
            val end = minOf(inputs, (center + REACH * stretch + 0.5).toInt())
            val taps = DoubleArray(end - first[output]) { cubic((it + first[output] - center + 0.5) * (1.0 / stretch)) }
            val sum = taps.sum()
            DoubleArray(taps.size) { if (sum != 0.0) taps[it] / sum else taps[it] }
        }
    }

    fun FloatArray.fillFrom(source: FloatArray, lines: Int, step: Int, line: Int, outStep: Int, outLine: Int) {
        for (at in 0 until lines) {
            for (output in 0 until outputs) {
                val taps = weights[output]
                var sum = 0.0
                for (k in taps.indices) sum += source[at * line + (first[output] + k) * step] * taps[k]
                this[at * outLine + output * outStep] = sum.toFloat()
            }
        }
    }
}

private const val A = -0.5

private fun cubic(distance: Double): Double {
    val x = abs(distance)
    return when {
        x < 1.0 -> ((A + 2.0) * x - (A + 3.0)) * x * x + 1
        x < 2.0 -> (((x - 5) * x + 8) * x - 4) * A
        else -> 0.0
    }
}
