package org.imageqx.core

/** An opaque sRGB colour: `0xRRGGBB`. */
@JvmInline
public value class Rgb(public val value: Int)
