package org.imageqx.core

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class RgbTest {
    @Test
    fun `keeps its value`() = assertEquals(0x112233, Rgb(0x112233).value)
}
