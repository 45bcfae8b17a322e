package org.imageqx.core

import org.imageqx.core.picture.Orientation
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class OrientationTest {
    @Test
    fun `nonsense in EXIF is upright`() = assertEquals(Orientation.UPRIGHT, Orientation.ofExif(9))
}
