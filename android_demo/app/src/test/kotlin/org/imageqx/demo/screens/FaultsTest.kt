package org.imageqx.demo.screens

import android.app.Activity
import android.text.TextUtils
import android.view.View
import android.widget.Button
import android.widget.FrameLayout
import android.widget.ImageButton
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** What [ScreensTest] holds every screen to finds what is wrong. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], qualifiers = "w411dp-h891dp-mdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
internal class FaultsTest {
    private val activity = Robolectric.buildActivity(Activity::class.java).setup().get()

    private fun faults(view: View, width: Int, height: Int): List<String> {
        val room = FrameLayout(activity).apply { addView(view, FrameLayout.LayoutParams(width, height)) }
        room.measure(View.MeasureSpec.makeMeasureSpec(400, View.MeasureSpec.EXACTLY), View.MeasureSpec.makeMeasureSpec(400, View.MeasureSpec.EXACTLY))
        room.layout(0, 0, 400, 400)
        return findFaults(room).map { it.substringAfterLast("\" ").substringAfterLast(": ") }
    }

    private fun text(words: String) = TextView(activity).apply { text = words }

    @Test
    fun findsTextsThatAreCut() {
        assertEquals(listOf("is higher than its place"), faults(text("one word after another, and more"), 60, 20))
        val dots = text("one word after another, and more").apply {
            maxLines = 1
            ellipsize = TextUtils.TruncateAt.END
        }
        assertEquals(listOf("is cut off with dots"), faults(dots, 60, 40))
        assertEquals(listOf("was not laid out"), faults(text("unseen"), 0, 40))
        assertEquals(emptyList<String>(), faults(text("one"), 200, 60))
    }

    @Test
    fun findsButtonsThatCannotBeHitOrNamed() {
        val nameless = ImageButton(activity).apply { setOnClickListener { } }
        assertEquals(listOf("TalkBack has nothing to say"), faults(nameless, 60, 60))
        val small = Button(activity).apply {
            text = "x"
            setPadding(0, 0, 0, 0)
            setOnClickListener { }
        }
        assertEquals(listOf("30 × 40, under 48 dp"), faults(small, 30, 40))
    }
}
