package org.imageqx.runtime

import org.imageqx.core.ModelException
import org.imageqx.core.model.ModelSpec
import org.imageqx.core.picture.Pixels
import org.imageqx.core.verdict.Outputs

/** A model that is open: pixels in, outputs out, whatever runs it. Not safe for two threads at once. */
public interface QualityModel : AutoCloseable {
    /** What it takes and gives: the file's own word. */
    public val spec: ModelSpec

    /** What runs it, for an app's version screen, such as `"TensorFlow Lite 2.16.1, 2 threads"`. */
    public val runtime: String

    /**
     * Runs the model once.
     *
     * @throws ModelException it gave no answer, or not finite numbers.
     */
    public fun run(pixels: Pixels): Outputs
}

/** A runtime: something that opens models. */
public interface ModelRuntime {
    /** The format it reads, as the manifest calls it: `"tflite"` or `"onnx"`. */
    public val format: String

    /**
     * Opens a model.
     *
     * @param file the whole file, held to its digest.
     * @throws ModelException it is damaged, from a newer exporter, or not for photos.
     */
    public fun open(file: ModelFile): QualityModel
}
