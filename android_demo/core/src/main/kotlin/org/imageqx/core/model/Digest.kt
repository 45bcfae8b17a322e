package org.imageqx.core.model

import org.imageqx.core.ModelDamaged
import org.imageqx.core.ModelSwapped
import java.nio.ByteBuffer
import java.security.MessageDigest

/** Returns a buffer's SHA-256 in hexadecimal; the buffer's position stays. */
public fun digest(bytes: ByteBuffer): String {
    val hash = MessageDigest.getInstance("SHA-256")
    hash.update(bytes.duplicate())
    return hash.digest().joinToString("") { "%02x".format(it) }
}

/**
 * Holds a file to its entry in the manifest.
 *
 * @param bytes the whole file.
 * @throws ModelDamaged it is shorter or longer than the exported one.
 * @throws ModelSwapped it is of the right size and another file.
 */
public fun checkDigest(artifact: Artifact, bytes: ByteBuffer) {
    val size = bytes.remaining().toLong()
    if (size != artifact.sizeBytes) throw ModelDamaged(artifact.path, "$size bytes, not ${artifact.sizeBytes}")
    val got = digest(bytes)
    if (got != artifact.sha256) throw ModelSwapped(artifact.path, artifact.sha256, got)
}
