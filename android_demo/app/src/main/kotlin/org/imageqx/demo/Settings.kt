package org.imageqx.demo

import android.content.Context
import android.content.RestrictionsManager
import android.os.Bundle
import org.imageqx.demo.state.Computing

/** What a person chose for this app, kept over restarts; an administrator's managed configuration goes before it. */
internal class Settings(private val context: Context) {
    private val kept = context.getSharedPreferences("settings", Context.MODE_PRIVATE)

    /** What may compute, as of now. */
    val computing: Computing
        get() = when {
            isManaged() -> Computing.PROCESSOR_MANAGED
            kept.getBoolean(PROCESSOR, false) -> Computing.PROCESSOR
            else -> Computing.ANY
        }

    /** Keeps that the processor [only] is to compute, or whatever is right. */
    fun keepProcessor(only: Boolean) = kept.edit().putBoolean(PROCESSOR, only).apply()

    private fun isManaged(): Boolean = readManaged()?.getBoolean(PROCESSOR, false) ?: false

    /** Null where the phone has no such service. */
    private fun readManaged(): Bundle? = context.service<RestrictionsManager>().applicationRestrictions

    private companion object {
        /** The key in the preferences, and in res/xml/app_restrictions.xml. */
        const val PROCESSOR = "use_processor"
    }
}
