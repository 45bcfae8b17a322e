package org.imageqx.core.picture

/** Decoded pixels, read row by row, so that a picture of 200 megapixels is never held twice. */
public interface Picture {
    /** Columns, from 1. */
    public val width: Int

    /** Rows, from 1. */
    public val height: Int

    /** Whether every pixel's alpha is 255. */
    public val isOpaque: Boolean

    /**
     * Writes row [y] into the first [width] places of [into].
     *
     * Each pixel is `0xAARRGGBB` in sRGB, its colours not multiplied by alpha.
     */
    public fun readRow(y: Int, into: IntArray)
}

/** A picture in memory: [pixels] row by row, each `0xAARRGGBB`. */
public class ArgbPicture(
    override val width: Int,
    override val height: Int,
    private val pixels: IntArray,
    override val isOpaque: Boolean,
) : Picture {
    init {
        require(width > 0 && height > 0) { "a picture has pixels, got $width × $height" }
        require(pixels.size == width * height) { "expected ${width * height} pixels, got ${pixels.size}" }
    }

    override fun readRow(y: Int, into: IntArray) {
        pixels.copyInto(into, 0, y * width, (y + 1) * width)
    }
}
