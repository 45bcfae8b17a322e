package org.imageqx.core

import org.imageqx.core.model.Preprocessing
import org.imageqx.core.picture.ArgbPicture
import org.imageqx.core.picture.Orientation
import org.imageqx.core.picture.Stretcher
import java.io.File
import java.lang.management.ManagementFactory

/**
 * Stretches one picture again and again, once per line on standard input, and answers each line with the nanoseconds of
 * CPU that it took and the bytes that it allocated; at the end come the pixels' file.
 *
 * Arguments: a file of `RGBA` bytes, its width, its height, EXIF's orientation, the file for the result.
 */
fun main(arguments: Array<String>) {
    val (input, width, height, exif, output) = arguments
    val picture = readPicture(File(input), width.toInt(), height.toInt())
    val orientation = Orientation.ofExif(exif.toInt())
    val stretcher = Stretcher(Preprocessing(224, 224))
    val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
    val thread = Thread.currentThread().id
    while (readlnOrNull() != null) {
        val allocated = threads.getThreadAllocatedBytes(thread)
        val began = threads.currentThreadCpuTime
        stretcher.stretch(picture, orientation)
        val took = threads.currentThreadCpuTime - began
        println("$took ${threads.getThreadAllocatedBytes(thread) - allocated}")
    }
    File(output).writeBytes(stretcher.stretch(picture, orientation).bytes)
}

private fun readPicture(file: File, width: Int, height: Int): ArgbPicture {
    val bytes = file.readBytes()
    val pixels = IntArray(width * height) {
        (255 shl 24) or ((bytes[4 * it].toInt() and 255) shl 16) or ((bytes[4 * it + 1].toInt() and 255) shl 8) or
            (bytes[4 * it + 2].toInt() and 255)
    }
    return ArgbPicture(width, height, pixels, isOpaque = true)
}
