package org.imageqx.demo.assess

import org.imageqx.core.model.Answer
import org.imageqx.core.model.ModelSpec
import org.imageqx.core.model.Preprocessing
import org.imageqx.core.model.Region
import org.imageqx.core.model.Regions
import org.imageqx.core.model.TensorSpec
import org.imageqx.core.verdict.BinaryVerdict
import org.imageqx.core.verdict.Hint
import org.imageqx.core.verdict.RegionFinding
import org.imageqx.demo.screens.Assessments
import org.imageqx.demo.state.Advice
import org.imageqx.demo.state.Finding
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test

internal class AssessmentsTest {
    private val hint = Hint("duke-iqa", "Take the photo again")

    private fun spec(vararg parts: Region) = ModelSpec(
        "duke-iqa",
        TensorSpec("image", listOf(1, 448, 448, 3)),
        emptyList(),
        Preprocessing(448, 448),
        Answer.Binary("good", 0.5, hint.text, null, Regions("regions", 0.5, parts.toList())),
    )

    @Test
    fun aPoorPhotoWithoutABadRegionHasTheModelsOwnHint() {
        val fine = RegionFinding("centre", 4, 0.6f, false, Hint("centre", "Move"))
        val assessment = toAssessment(BinaryVerdict(0.25f, true, 1, listOf(fine), hint)) { error("no map") }
        assertNull(assessment.label)
        assertEquals(listOf(Finding("duke-iqa", 0.75f, hint.text)), assessment.findings)
    }

    @Test
    fun aGoodPhotoHasNoFindings() {
        assertEquals(emptyList<Finding>(), Assessments.good.findings)
        assertEquals(Advice.Good, toAdvice(Assessments.good.verdict))
        assertEquals("blurry", (toAdvice(Assessments.poor.verdict) as Advice.Better).hint.key)
    }

    @Test
    fun aRegionIsDrawnWhereTheSpecHasIt() {
        val map = spec(Region("top_right", 0.5, 0.0, 0.5, 0.25, "")).drawRegion(0)!!
        fun at(x: Double, y: Double) = map.values[(y * map.height).toInt() * map.width + (x * map.width).toInt()]
        assertEquals(listOf(1f, 1f, 0f, 0f), listOf(at(0.51, 0.01), at(0.99, 0.24), at(0.49, 0.1), at(0.7, 0.26)))
        assertEquals(map.values.size / 8f, map.values.sum())
        assertNull(spec().drawRegion(0))
    }
}
