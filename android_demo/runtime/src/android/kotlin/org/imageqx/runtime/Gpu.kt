package org.imageqx.runtime

import android.app.ActivityManager
import android.content.Context
import android.content.SharedPreferences
import android.graphics.BitmapFactory
import android.opengl.EGL14
import android.opengl.EGLConfig
import android.opengl.GLES20
import android.os.Build
import org.imageqx.core.ModelDamaged
import org.imageqx.core.picture.Pixels
import org.tensorflow.lite.TensorFlowLite
import java.nio.ByteBuffer

/**
 * Returns this phone's GPU for [openModel], with what hinders it now: too little memory, or no driver that answers.
 *
 * Its identity is the runtime's version, the driver's (`GL_VERSION`) and the system's build, so that a new one of any is asked
 * the self-test anew.
 */
public fun findGpu(context: Context): Accelerator {
    val driver = readDriver()
    val obstacle = if (driver == null) "there is no driver that answers" else findShortage(context)
    val identity = "${TensorFlowLite.runtimeVersion()} $driver ${Build.FINGERPRINT}"
    return Accelerator(GPU, identity, makeGpuRuntime(), obstacle)
}

/** Says that this phone has too little memory to open a model twice; null if it has enough. */
private fun findShortage(context: Context): String? {
    val activities = context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager
    val memory = ActivityManager.MemoryInfo().also(activities::getMemoryInfo)
    return if (activities.isLowRamDevice || memory.lowMemory) "the phone's memory is low" else null
}

/** What self-tests said, in an app's preferences, on the disk before the accelerator is asked. */
public class PreferencesMemory(private val preferences: SharedPreferences) : SelfTestMemory {
    override fun get(key: String): String? = preferences.getString(key, null)

    // Not apply: a crash would come before its write.
    override fun put(key: String, value: String) {
        preferences.edit().putString(key, value).commit()
    }

    override fun remove(key: String) {
        preferences.edit().remove(key).commit()
    }
}

/** Reads a golden picture, a PNG of the model's size, for [openModel]. */
public fun decodeGolden(file: ByteBuffer): Pixels {
    val bytes = ByteArray(file.remaining()).also { file.duplicate().get(it) }
    val bitmap = BitmapFactory.decodeByteArray(bytes, 0, bytes.size)
        ?: throw ModelDamaged("a golden picture", "${bytes.size} bytes that are no picture")
    val argb = IntArray(bitmap.width * bitmap.height)
    bitmap.getPixels(argb, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
    val rgb = ByteArray(Pixels.CHANNELS * argb.size) { (argb[it / Pixels.CHANNELS] shr (16 - 8 * (it % Pixels.CHANNELS))).toByte() }
    return Pixels(bitmap.width, bitmap.height, rgb).also { bitmap.recycle() }
}

/** Asks the GPU's driver for its name and version, in a context of its own; null where it gives none. */
private fun readDriver(): String? {
    val display = EGL14.eglGetDisplay(EGL14.EGL_DEFAULT_DISPLAY)
    val version = IntArray(2)
    if (!EGL14.eglInitialize(display, version, 0, version, 1)) return null
    val configs = arrayOfNulls<EGLConfig>(1)
    val wanted = intArrayOf(EGL14.EGL_RENDERABLE_TYPE, EGL14.EGL_OPENGL_ES2_BIT, EGL14.EGL_NONE)
    val found = IntArray(1)
    if (!EGL14.eglChooseConfig(display, wanted, 0, configs, 0, 1, found, 0) || found[0] < 1) return null
    val asked = intArrayOf(EGL14.EGL_CONTEXT_CLIENT_VERSION, 2, EGL14.EGL_NONE)
    val context = EGL14.eglCreateContext(display, configs[0], EGL14.EGL_NO_CONTEXT, asked, 0)
    val size = intArrayOf(EGL14.EGL_WIDTH, 1, EGL14.EGL_HEIGHT, 1, EGL14.EGL_NONE)
    val surface = EGL14.eglCreatePbufferSurface(display, configs[0], size, 0)
    return try {
        if (!EGL14.eglMakeCurrent(display, surface, surface, context)) return null
        val renderer: String? = GLES20.glGetString(GLES20.GL_RENDERER)
        renderer?.let { "$it ${GLES20.glGetString(GLES20.GL_VERSION)}" }
    } finally {
        EGL14.eglMakeCurrent(display, EGL14.EGL_NO_SURFACE, EGL14.EGL_NO_SURFACE, EGL14.EGL_NO_CONTEXT)
        EGL14.eglDestroySurface(display, surface)
        EGL14.eglDestroyContext(display, context)
    }
}
