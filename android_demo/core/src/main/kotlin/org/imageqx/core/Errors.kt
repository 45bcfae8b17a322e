package org.imageqx.core

/**
 * Everything that this library throws on purpose.
 *
 * ```
 * ImageQXException
 * ├── ModelException         a model that is not there, not whole, not the one that was exported, or not for photos
 * │   ├── ModelMissing · ModelDamaged · ModelSwapped
 * │   ├── UnknownSchemaVersion · UnfitModel · RuntimeTooOld
 * │   └── ModelFailed        it opened, and did not answer
 * ├── PhotoException         a photo that cannot be assessed
 * │   ├── PhotoUnreadable · PhotoTruncated
 * │   └── PhotoTooLarge
 * └── ThresholdsException    a clinic's file of thresholds that does not fit
 * ```
 *
 * An app shows a sentence of its own for each class; [message] is for logs.
 *
 * @property where the file or output concerned.
 * @property expected what would have been right.
 * @property got what was found instead.
 */
public sealed class ImageQXException(
    what: String,
    public val where: String?,
    public val expected: String?,
    public val got: String?,
    cause: Throwable?,
) : Exception(describe(what, where, expected, got), cause)

private fun describe(what: String, where: String?, expected: String?, got: String?): String =
    listOf("where" to where, "expected" to expected, "got" to got)
        .filter { it.second != null }
        .joinToString(separator = "", prefix = what) { (name, value) -> "\n  $name: $value" }

/** A model that cannot be used. */
public sealed class ModelException(
    what: String,
    where: String?,
    expected: String? = null,
    got: String? = null,
    cause: Throwable? = null,
) : ImageQXException(what, where, expected, got, cause)

/** There is no such file. */
public class ModelMissing(where: String, cause: Throwable? = null) : ModelException("no such model", where, cause = cause)

/** A file that is cut off or changed, so that nothing can be read from it. */
public class ModelDamaged(where: String, got: String, cause: Throwable? = null) :
    ModelException("the model is damaged", where, "a file as it was exported", got, cause)

/** A whole file, but not the one that the manifest names. */
public class ModelSwapped(where: String, expected: String, got: String) :
    ModelException("the model is another one than the manifest's", where, "SHA-256 $expected", got)

/** A file that a newer version of the exporter wrote. */
public class UnknownSchemaVersion(where: String, known: Collection<Int>, got: String) :
    ModelException("the file's schema_version is not known", where, known.joinToString(" or "), got)

/** A model that takes no photo, or whose outputs no decision can be read from. */
public class UnfitModel(where: String, expected: String, got: String) :
    ModelException("a model that cannot assess photos", where, expected, got)

/** A model for which this app's runtime is too old, by the model's own word: it may open there, and give other numbers. */
public class RuntimeTooOld(where: String, expected: String, got: String) :
    ModelException("the runtime is too old for the model", where, expected, got)

/** A model that opened and did not answer, or answered nonsense. */
public class ModelFailed(where: String, got: String, cause: Throwable? = null) :
    ModelException("the model gave no answer", where, "finite numbers", got, cause)

/** A photo that cannot be assessed. */
public sealed class PhotoException(
    what: String,
    where: String?,
    expected: String? = null,
    got: String? = null,
    cause: Throwable? = null,
) : ImageQXException(what, where, expected, got, cause)

/** A file that no decoder knows, or that has no pixels. */
public class PhotoUnreadable(where: String, got: String, cause: Throwable? = null) :
    PhotoException("the photo cannot be decoded", where, "a JPEG, PNG or WebP file", got, cause)

/** A file that ends too early: a decoder may give half a picture of it, which must not be assessed. */
public class PhotoTruncated(where: String, got: String, cause: Throwable? = null) :
    PhotoException("the photo is cut off", where, "a complete file", got, cause)

/** A photo of more pixels than [limit]. */
public class PhotoTooLarge(where: String, public val limit: Long, got: String) :
    PhotoException("the photo is too large", where, "at most $limit pixels", got)

/** A clinic's file of thresholds that cannot be read, or is for another kind of model. */
public class ThresholdsException(where: String, expected: String, got: String, cause: Throwable? = null) :
    ImageQXException("the thresholds do not fit", where, expected, got, cause)
