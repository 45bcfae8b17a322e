package org.imageqx.runtime

import org.imageqx.core.ModelException
import org.imageqx.core.ModelFailed
import org.imageqx.core.model.Artifact
import org.imageqx.core.model.Manifest
import org.imageqx.core.model.ModelSpec
import org.imageqx.core.picture.Pixels
import org.imageqx.core.selftest.SelfTest
import org.imageqx.core.selftest.SelfTestResult
import org.imageqx.core.selftest.compare
import org.imageqx.core.selftest.readExpectedOutputs
import org.imageqx.core.selftest.readSelfTest
import org.imageqx.core.verdict.Outputs
import java.nio.ByteBuffer

private const val GOLDEN = "golden"
private const val NANOSECONDS = 1_000_000_000L

/**
 * A phone's accelerator, as an app offers it.
 *
 * @property target what the manifest's proofs call its kind: `"gpu"` or `"qualcomm"`.
 * @property identity all that its answers depend on but the model: the delegate's version, the driver's, the system's
 *   build. When it changes, the self-test is asked again.
 * @property runtime opens models on it.
 * @property obstacle why it is not to be asked now, such as a full memory; null if it may be.
 */
public class Accelerator(
    public val target: String,
    public val identity: String,
    public val runtime: ModelRuntime,
    public val obstacle: String? = null,
)

/** Where an app keeps what self-tests said, such as its preferences. Written before [put] returns. */
public interface SelfTestMemory {
    /** Returns what was kept under a key; null if nothing was. */
    public fun get(key: String): String?

    /** Keeps a value under a key. */
    public fun put(key: String, value: String)

    /** Forgets what was kept under a key. */
    public fun remove(key: String)
}

/**
 * A model, and why it runs on the processor.
 *
 * @property model where the accelerator gives no answer to a photo, it goes on with the processor, and [fallback] says so.
 */
public class OpenedModel internal constructor(public val model: QualityModel, private val explain: () -> String?) {
    /** In words, for an app's version screen; null where it runs on the accelerator, or none was offered. */
    public val fallback: String? get() = explain()
}

/**
 * Opens a model on an accelerator if all of this holds, and on the processor otherwise: the manifest proves some file
 * right there; the golden self-test, asked once, says so on this very phone. See docs/self-test.md.
 *
 * @param source an export's files, those of `golden/` among them.
 * @param processor the runtime to fall back to.
 * @param path the file that it runs.
 * @param accelerator what the phone has; null for none, or where a person chose the processor.
 * @param memory what earlier self-tests said.
 * @param decode reads a golden picture, a PNG of the model's size.
 * @param seconds what the self-test's pictures may take together; an accelerator that takes longer is not used.
 * @throws ModelException neither can be opened.
 */
public fun openModel(
    source: ArtifactSource,
    processor: ModelRuntime,
    path: String,
    accelerator: Accelerator? = null,
    memory: SelfTestMemory? = null,
    decode: ((ByteBuffer) -> Pixels)? = null,
    seconds: Int = 20,
): OpenedModel {
    val manifest = source.readManifest()
    fun open() = processor.open(source.readModel(manifest, path))
    fun onProcessor(fallback: String?) = OpenedModel(open()) { fallback }
    if (accelerator == null || memory == null || decode == null) return onProcessor(null)
    accelerator.obstacle?.let { return onProcessor("${accelerator.target}: $it") }
    val artifact = manifest.chooseFor(accelerator.runtime.format, accelerator.target, source.listPresent(manifest))
        ?: return onProcessor("no file was proved right on ${accelerator.target}")
    val examiner = Examiner(source, accelerator, memory, decode, seconds)
    return when (val answer = examiner.examine(manifest, artifact)) {
        is Examined.Right -> GuardedModel(answer.model, accelerator.target, ::open).let { model -> OpenedModel(model) { model.fallback } }
        is Examined.Wrong -> onProcessor("${accelerator.target}: ${answer.why}")
    }
}

private fun ArtifactSource.listPresent(manifest: Manifest): List<String> =
    manifest.artifacts.map { it.path }.filter { path ->
        try {
            read(path)
            true
        } catch (_: ModelException) {
            false
        }
    }

private sealed interface Examined {
    class Right(val model: QualityModel) : Examined

    class Wrong(val why: String) : Examined
}

/** A model on an accelerator until that gives no answer, and then the one on the processor. */
private class GuardedModel(
    private var model: QualityModel,
    private val target: String,
    private val openOnProcessor: () -> QualityModel,
) : QualityModel {
    var fallback: String? = null
        private set
    override val spec: ModelSpec = model.spec
    override val runtime: String get() = model.runtime

    override fun run(pixels: Pixels): Outputs = try {
        model.run(pixels)
    } catch (error: ModelFailed) {
        if (fallback != null) throw error
        val processor = openOnProcessor()
        fallback = "$target: ${error.got}"
        model.close()
        model = processor
        processor.run(pixels)
    }

    override fun close(): Unit = model.close()
}

/** Asks the golden pictures of an accelerator, and remembers what it said. */
private class Examiner(
    private val source: ArtifactSource,
    private val accelerator: Accelerator,
    private val memory: SelfTestMemory,
    private val decode: (ByteBuffer) -> Pixels,
    private val seconds: Int,
) {
    fun examine(manifest: Manifest, artifact: Artifact): Examined {
        val key = "${artifact.sha256} ${accelerator.target} ${accelerator.identity}"
        when (val kept = memory.get(key)) {
            null, PASSED -> Unit
            ASKED -> return Examined.Wrong("it crashed in the self-test")
            else -> return Examined.Wrong(kept)
        }
        val known = memory.get(key) == PASSED
        // Before the first call into the driver: a crash leaves this behind.
        if (!known) memory.put(key, ASKED)
        val answer = try {
            open(manifest, artifact, known)
        } catch (error: OutOfMemoryError) { // of this moment, and not of the accelerator
            if (known) memory.put(key, PASSED) else memory.remove(key)
            return Examined.Wrong("the memory is full: $error")
        }
        memory.put(key, if (answer is Examined.Wrong) answer.why else PASSED)
        return answer
    }

    private fun open(manifest: Manifest, artifact: Artifact, known: Boolean): Examined {
        var opened: QualityModel? = null
        try {
            val model = accelerator.runtime.open(source.readModel(manifest, artifact.path)).also { opened = it }
            val why = if (known) null else explainFailure(model, artifact)
            if (why == null) return Examined.Right(model)
            model.close()
            return Examined.Wrong(why)
        } catch (error: Throwable) {
            opened?.close()
            return Examined.Wrong(explain(error) ?: throw error)
        }
    }

    /** Returns what an accelerator's own error says; null for an error of the app, or of the machine. */
    private fun explain(error: Throwable): String? = when (error) {
        is ModelException -> error.message.orEmpty()
        is RuntimeException, is LinkageError -> error.toString() // a delegate that cannot be made, a library that is not there
        else -> null
    }

    /** Returns why an accelerator's answers are not to be trusted; null if they are. */
    private fun explainFailure(model: QualityModel, artifact: Artifact): String? {
        val test = readSelfTest(source.readText("$GOLDEN/self_test.json"), "self_test.json")
        val expectation = test.expectations[artifact.precision] ?: return "no self-test for ${artifact.precision}"
        val expected = readExpectedOutputs(source.readText("$GOLDEN/${expectation.outputs}"), expectation.outputs)
        val got = run(test, model) ?: return "it takes longer than $seconds seconds"
        val wanted = test.pictures.map { expected[it] ?: return "no expected outputs of $it" }
        val result = compare(artifact.spec, wanted, got, expectation.tolerance)
        return (result as? SelfTestResult.Failed)?.why
    }

    /** Returns the outputs for all pictures; null where they do not come in time. */
    private fun run(test: SelfTest, model: QualityModel): List<Outputs>? {
        val began = System.nanoTime()
        return test.pictures.map { picture ->
            if (System.nanoTime() - began > seconds * NANOSECONDS) return null
            model.run(decode(source.read("$GOLDEN/$picture")))
        }
    }

    private companion object {
        const val ASKED = "asked, no answer"
        const val PASSED = "passed"
    }
}
