package org.imageqx.runtime

import org.imageqx.core.ModelException
import org.imageqx.core.model.Artifact
import org.imageqx.core.model.Manifest
import org.imageqx.core.picture.Pixels
import org.imageqx.core.selftest.SelfTest
import org.imageqx.core.selftest.SelfTestResult
import org.imageqx.core.selftest.compare
import org.imageqx.core.selftest.readExpectedOutputs
import org.imageqx.core.selftest.readSelfTest
import org.imageqx.core.verdict.Outputs
import java.nio.ByteBuffer

private const val GOLDEN = "golden"
private const val LONGEST_NANOSECONDS = 20_000_000_000L

/**
 * A phone's accelerator, as an app offers it.
 *
 * @property target what the manifest's proofs call its kind: `"gpu"` or `"qualcomm"`.
 * @property identity all that its answers depend on but the model: the delegate's version, the driver's, the system's
 *   build. When it changes, the self-test is asked again.
 * @property runtime opens models on it.
 */
public class Accelerator(
    public val target: String,
    public val identity: String,
    public val runtime: ModelRuntime,
)

/** Where an app keeps what self-tests said, such as its preferences. Written before [put] returns. */
public interface SelfTestMemory {
    /** Returns what was kept under a key; null if nothing was. */
    public fun get(key: String): String?

    /** Keeps a value under a key. */
    public fun put(key: String, value: String)
}

/**
 * A model, and why it runs on the processor.
 *
 * @property fallback in words, for an app's version screen; null where it runs on the accelerator, or none was offered.
 */
public class OpenedModel(public val model: QualityModel, public val fallback: String?)

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
 * @throws ModelException neither can be opened.
 */
public fun openModel(
    source: ArtifactSource,
    processor: ModelRuntime,
    path: String,
    accelerator: Accelerator? = null,
    memory: SelfTestMemory? = null,
    decode: ((ByteBuffer) -> Pixels)? = null,
): OpenedModel {
    val manifest = source.readManifest()
    fun onProcessor(fallback: String?) = OpenedModel(processor.open(source.readModel(manifest, path)), fallback)
    if (accelerator == null || memory == null || decode == null) return onProcessor(null)
    val artifact = manifest.chooseFor(accelerator.runtime.format, accelerator.target, source.listPresent(manifest))
        ?: return onProcessor("no file was proved right on ${accelerator.target}")
    val examiner = Examiner(source, accelerator, memory, decode)
    return when (val answer = examiner.examine(manifest, artifact)) {
        is Examined.Right -> OpenedModel(answer.model, null)
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

/** Asks the golden pictures of an accelerator, and remembers what it said. */
private class Examiner(
    private val source: ArtifactSource,
    private val accelerator: Accelerator,
    private val memory: SelfTestMemory,
    private val decode: (ByteBuffer) -> Pixels,
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
            val model = accelerator.runtime.open(source.readModel(manifest, artifact.path))
            val why = if (known) null else explainFailure(model, artifact)
            if (why == null) Examined.Right(model) else Examined.Wrong(why).also { model.close() }
        } catch (error: ModelException) {
            Examined.Wrong(error.message.orEmpty())
        } catch (error: RuntimeException) { // a delegate that cannot be made
            Examined.Wrong(error.toString())
        } catch (error: UnsatisfiedLinkError) {
            Examined.Wrong(error.toString())
        }
        memory.put(key, if (answer is Examined.Wrong) answer.why else PASSED)
        return answer
    }

    /** Returns why an accelerator's answers are not to be trusted; null if they are. */
    private fun explainFailure(model: QualityModel, artifact: Artifact): String? {
        val test = readSelfTest(source.readText("$GOLDEN/self_test.json"), "self_test.json")
        val expectation = test.expectations[artifact.precision] ?: return "no self-test for ${artifact.precision}"
        val expected = readExpectedOutputs(source.readText("$GOLDEN/${expectation.outputs}"), expectation.outputs)
        val got = runWithin(LONGEST_NANOSECONDS, test, model) ?: return "it takes longer than 20 seconds"
        val wanted = test.pictures.map { expected[it] ?: return "no expected outputs of $it" }
        val result = compare(artifact.spec, wanted, got, expectation.tolerance)
        return (result as? SelfTestResult.Failed)?.why
    }

    private fun runWithin(nanoseconds: Long, test: SelfTest, model: QualityModel): List<Outputs>? {
        val began = System.nanoTime()
        return test.pictures.map { picture ->
            if (System.nanoTime() - began > nanoseconds) return null
            model.run(decode(source.read("$GOLDEN/$picture")))
        }
    }

    private companion object {
        const val ASKED = "asked, no answer"
        const val PASSED = "passed"
    }
}
