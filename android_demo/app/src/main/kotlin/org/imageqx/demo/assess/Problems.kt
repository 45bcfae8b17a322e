package org.imageqx.demo.assess

import org.imageqx.core.ImageQXException
import org.imageqx.core.ModelDamaged
import org.imageqx.core.ModelFailed
import org.imageqx.core.ModelMissing
import org.imageqx.core.ModelSwapped
import org.imageqx.core.PhotoTooLarge
import org.imageqx.core.PhotoTruncated
import org.imageqx.core.PhotoUnreadable
import org.imageqx.core.RuntimeTooOld
import org.imageqx.core.ThresholdsException
import org.imageqx.core.UnfitModel
import org.imageqx.core.UnknownSchemaVersion
import org.imageqx.demo.photo.PhotoTooLargeException
import org.imageqx.demo.photo.PhotoUnsupportedException
import org.imageqx.demo.state.Problem
import java.io.IOException

/** Returns what a person is told of an error of work beside the screen, or null for an error of this app. */
internal fun describe(error: Throwable): Problem? = when (error) {
    is ImageQXException -> describe(error)
    is PhotoUnsupportedException -> Problem.PHOTO_UNSUPPORTED
    is PhotoTooLargeException -> Problem.PHOTO_TOO_LARGE
    is IOException -> if (isFull(error)) Problem.STORAGE else Problem.PHOTO_UNREADABLE
    is SecurityException -> Problem.PHOTO_UNREADABLE // another app's photo that this one may not read any more
    is OutOfMemoryError -> Problem.MEMORY
    is LinkageError -> Problem.MODEL_FAILED // the runtime's native library is not for this phone
    else -> null
}

private fun describe(error: ImageQXException): Problem = when (error) {
    is PhotoUnreadable -> Problem.PHOTO_UNREADABLE
    is PhotoTruncated -> Problem.PHOTO_TRUNCATED
    is PhotoTooLarge -> Problem.PHOTO_TOO_LARGE
    is ModelMissing -> Problem.MODEL_MISSING
    is ModelDamaged, is ModelSwapped, is ThresholdsException -> Problem.MODEL_DAMAGED
    is UnknownSchemaVersion, is UnfitModel, is RuntimeTooOld -> Problem.MODEL_NEWER
    is ModelFailed -> Problem.MODEL_FAILED
}

private fun isFull(error: IOException): Boolean = generateSequence<Throwable>(error) { it.cause }
    .any { "ENOSPC" in it.message.orEmpty() || "No space left" in it.message.orEmpty() }
