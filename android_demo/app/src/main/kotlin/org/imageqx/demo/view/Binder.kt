package org.imageqx.demo.view

import android.graphics.Bitmap
import android.view.LayoutInflater
import android.view.TextureView
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.Switch
import android.widget.TextView
import org.imageqx.demo.R
import org.imageqx.demo.find
import org.imageqx.demo.state.Event

/**
 * Puts what is [Shown] into views: the only code that knows the layouts.
 *
 * @param root whose one child is the screen.
 * @param send takes what a person does.
 */
internal class Binder(private val root: ViewGroup, private val send: (Event) -> Unit) {
    private val inflater = LayoutInflater.from(root.context)
    private var layout = 0

    /** The live picture's view while the camera's screen is shown, else null. */
    val preview: TextureView?
        get() = root.findViewById(R.id.preview)

    /** Shows a screen; [picture] is asked for a result's alone, and gives null where there is none. */
    fun show(shown: Shown, picture: () -> Bitmap?) {
        when (shown) {
            is Shown.Camera -> showCamera(shown)
            is Shown.Message -> showMessage(shown)
            is Shown.Result -> showResult(shown, picture)
            is Shown.Speed -> {
                showMessage(shown.message)
                val lines = root.find<ViewGroup>(R.id.lines)
                fill(lines, shown.lines, R.layout.line) { view, words -> (view as TextView).setWords(words) }
                showProcessor(shown.processor)
            }
        }
    }

    private fun showCamera(shown: Shown.Camera) {
        inflate(R.layout.camera)
        root.find<TextView>(R.id.advice).setWords(shown.advice)
        press(R.id.shutter, Event.ShutterPressed).apply {
            isEnabled = shown.ready
            alpha = if (shown.ready) 1f else DIMMED
        }
        press(R.id.gallery, Event.GalleryPressed)
        press(R.id.speed, Event.SpeedPressed)
    }

    private fun showMessage(shown: Shown.Message) {
        inflate(R.layout.message)
        root.find<TextView>(R.id.title).setWords(shown.title)
        root.find<TextView>(R.id.text).setWords(shown.text)
        root.find<View>(R.id.busy).visibility = if (shown.busy) View.VISIBLE else View.GONE
        root.find<ViewGroup>(R.id.lines).removeAllViews()
        root.find<View>(R.id.processor).visibility = View.GONE
        showButtons(shown.buttons)
    }

    private fun showProcessor(toggle: Toggle) {
        root.find<Switch>(R.id.processor).apply {
            setOnCheckedChangeListener(null) // it hears a person, and not this
            setWords(toggle.words)
            isChecked = toggle.on
            isEnabled = toggle.enabled
            visibility = View.VISIBLE
            setOnCheckedChangeListener { _, on -> send(Event.ProcessorSwitched(on)) }
        }
    }

    private fun showResult(shown: Shown.Result, picture: () -> Bitmap?) {
        inflate(R.layout.result)
        root.find<PhotoView>(R.id.photo).apply {
            contentDescription = context.read(shown.photo)
            show(picture())
        }
        root.find<TextView>(R.id.title).apply {
            setWords(shown.title)
            setTextColor(context.getColor(if (shown.good) R.color.good else R.color.poor))
        }
        root.find<TextView>(R.id.text).showOrHide(shown.text)
        root.find<View>(R.id.rows_title).visibility = if (shown.rows.isEmpty()) View.GONE else View.VISIBLE
        fill(root.find(R.id.rows), shown.rows, R.layout.reason, ::showReason)
        root.find<TextView>(R.id.note).showOrHide(shown.note)
        showButtons(shown.buttons)
    }

    private fun showReason(view: View, row: Row) {
        view.find<TextView>(R.id.reason_title).setWords(row.title)
        view.find<TextView>(R.id.reason_share).setWords(Words.Text(R.string.result_share, row.percent))
        view.find<TextView>(R.id.reason_hint).showOrHide(row.hint.takeIf { view.context.read(it).isNotEmpty() })
        view.isSelected = row.chosen
        view.stateDescribe(if (row.chosen) Words.Text(R.string.result_reason_chosen, row.title) else null)
        view.isFocusable = true
        if (row.hasMap) view.setOnClickListener { send(Event.ReasonPressed(row.name)) }
    }

    private fun showButtons(buttons: List<Press>) {
        val room = root.find<ViewGroup>(R.id.buttons)
        room.removeAllViews()
        for (button in buttons) {
            val view = inflater.inflate(if (button.main) R.layout.button_main else R.layout.button_quiet, room, false)
            (view as Button).setWords(button.words)
            view.setOnClickListener { send(button.event) }
            room.addView(view)
        }
    }

    private fun press(id: Int, event: Event): View =
        root.find<View>(id).apply { setOnClickListener { send(event) } }

    /** Puts one view of a layout into [room] for each of [values]; those that are there are used again. */
    private fun <T> fill(room: ViewGroup, values: List<T>, layout: Int, show: (View, T) -> Unit) {
        while (room.childCount > values.size) room.removeViewAt(room.childCount - 1)
        while (room.childCount < values.size) inflater.inflate(layout, room, true)
        values.forEachIndexed { index, value -> show(room.getChildAt(index), value) }
    }

    private fun inflate(wanted: Int) {
        if (layout == wanted) return
        root.removeAllViews()
        inflater.inflate(wanted, root, true)
        layout = wanted
    }

    /** Sets the text only if it is another: setting it anew would have TalkBack read it anew. */
    private fun TextView.setWords(words: Words) {
        val new = context.read(words)
        if (text.toString() != new) text = new
    }

    private fun TextView.showOrHide(words: Words?) {
        visibility = if (words == null) View.GONE else View.VISIBLE
        words?.let { setWords(it) }
    }

    private fun View.stateDescribe(words: Words?) {
        contentDescription = words?.let { context.read(it) }
    }

    private companion object {
        const val DIMMED = 0.4f
    }
}
