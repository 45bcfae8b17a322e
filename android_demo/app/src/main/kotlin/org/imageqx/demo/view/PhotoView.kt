package org.imageqx.demo.view

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.RectF
import android.util.AttributeSet
import android.view.View

/** Shows a photo in its own proportions, as large as there is room. */
internal class PhotoView @JvmOverloads constructor(context: Context, attributes: AttributeSet? = null) :
    View(context, attributes) {
    private val paint = Paint(Paint.FILTER_BITMAP_FLAG)
    private val place = RectF()
    private var photo: Bitmap? = null

    fun show(photo: Bitmap?) {
        this.photo = photo
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val shown = photo ?: return
        val scale = minOf(width / shown.width.toFloat(), height / shown.height.toFloat())
        val halfWidth = shown.width * scale / 2
        val halfHeight = shown.height * scale / 2
        place.set(width / 2f - halfWidth, height / 2f - halfHeight, width / 2f + halfWidth, height / 2f + halfHeight)
        canvas.drawBitmap(shown, null, place, paint)
    }
}
