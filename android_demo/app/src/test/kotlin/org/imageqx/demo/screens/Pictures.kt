package org.imageqx.demo.screens

import android.app.Activity
import android.graphics.Bitmap
import android.graphics.Canvas
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import java.io.File

/** Draws what an activity shows. */
internal fun draw(activity: Activity): Bitmap {
    val view = activity.window.decorView
    return Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888).also { view.draw(Canvas(it)) }
}

/** Writes a picture where the driver asks for pictures; its name says what it shows. */
internal fun Bitmap.write(name: String) {
    val folder = File(System.getProperty("imageqx.screens") ?: return).apply { mkdirs() }
    File(folder, "$name.png").outputStream().use { compress(Bitmap.CompressFormat.PNG, 100, it) }
}

/** Every view that can be seen, itself and below. */
internal fun View.all(): Sequence<View> = sequence {
    if (visibility != View.VISIBLE) return@sequence
    yield(this@all)
    if (this@all is ViewGroup) for (index in 0 until childCount) yieldAll(getChildAt(index).all())
}

/** Lists what a person could not read or press: cut texts, small targets, buttons without a name. */
internal fun findFaults(root: View): List<String> = root.all().flatMap { view ->
    val name = "${view.javaClass.simpleName} ${runCatching { view.resources.getResourceEntryName(view.id) }.getOrDefault("")}"
    sequence {
        if (view is TextView && view.text.isNotEmpty()) {
            val layout = view.layout
            val lines = layout?.lineCount ?: 0
            if (layout == null || view.width == 0) {
                yield("$name: \"${view.text}\" was not laid out")
            } else if ((0 until lines).any { layout.getEllipsisCount(it) > 0 }) {
                yield("$name: \"${view.text}\" is cut off with dots")
            } else if (layout.height > view.height - view.totalPaddingTop - view.totalPaddingBottom) {
                yield("$name: \"${view.text}\" is higher than its place")
            } else if ((0 until lines).any { layout.getLineMax(it) > layout.width + 1 }) {
                yield("$name: \"${view.text}\" is wider than its place")
            }
        }
        if (view.isClickable && view.isEnabled) {
            val least = 48 * view.resources.displayMetrics.density - 1
            if (view.width < least || view.height < least) yield("$name: ${view.width} × ${view.height}, under 48 dp")
            if (read(view).isBlank()) yield("$name: TalkBack has nothing to say")
        }
    }
}.toList()

/** What TalkBack reads out of a view. */
internal fun read(view: View): String = view.contentDescription?.toString()
    ?: view.all().filterIsInstance<TextView>().joinToString(", ") { it.text }
