package org.imageqx.demo

import android.content.Context
import android.view.View

/** Returns one of Android's services; each phone has those that this app asks for. */
internal inline fun <reified T : Any> Context.service(): T = checkNotNull(getSystemService(T::class.java))

/** Returns a view of this app's own layouts, which have it. */
internal fun <T : View> View.find(id: Int): T = checkNotNull(findViewById<T>(id)) { resources.getResourceName(id) }
