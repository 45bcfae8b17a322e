package org.imageqx.core.verdict

import org.imageqx.core.ModelFailed
import org.imageqx.core.model.ModelSpec

/** What a model gave for one photo: per output's name its numbers, row by row, without the batch. */
public class Outputs(private val values: Map<String, FloatArray>) {
    /** Names of the outputs. */
    public val names: Set<String> get() = values.keys

    /**
     * Returns an output's numbers.
     *
     * @throws ModelFailed there is no such output.
     */
    public operator fun get(name: String): FloatArray =
        values[name] ?: throw ModelFailed(name, "no such output, only ${values.keys}")
}

/**
 * Holds outputs to a spec.
 *
 * @throws ModelFailed one is missing, of another size, or not finite.
 */
public fun Outputs.check(spec: ModelSpec): Outputs {
    for (output in spec.outputs) {
        val numbers = this[output.name]
        if (numbers.size != output.size) throw ModelFailed(output.name, "${numbers.size} numbers, not ${output.size}")
        val bad = numbers.count { !it.isFinite() }
        if (bad > 0) throw ModelFailed(output.name, "$bad of ${numbers.size} numbers are NaN or infinite")
    }
    return this
}
