package org.imageqx.demo.view

import android.annotation.SuppressLint
import android.content.Context
import android.content.res.Resources

/** A text for a person, not yet in a language: screens are decided without Android, and read with it. */
internal sealed interface Words {
    /** The string resource [id], with [arguments]; those that are words are read first. */
    data class Text(val id: Int, val arguments: List<Any> = emptyList()) : Words {
        constructor(id: Int, vararg arguments: Any) : this(id, arguments.toList())
    }

    /** The plural resource [id] for [count], which is its argument too. */
    data class Count(val id: Int, val count: Int) : Words

    /** What the ModelSpec names [name]: the string `kind_name`, with _ for -, if this app has it, else [fallback]. */
    data class OfSpec(val kind: String, val name: String, val fallback: String) : Words
}

/** Returns the text in the [context]'s language. */
internal fun Context.read(words: Words): String = when (words) {
    is Words.Text -> getString(words.id, *words.arguments.map { if (it is Words) read(it) else it }.toTypedArray())
    is Words.Count -> resources.getQuantityString(words.id, words.count, words.count)
    is Words.OfSpec -> {
        val id = findString("${words.kind}_${words.name}".replace('-', '_'))
        if (id == Resources.ID_NULL) words.fallback else getString(id)
    }
}

/** Names come from the model's own spec, so that another model's need no change here; it may name what we lack. */
@SuppressLint("DiscouragedApi")
private fun Context.findString(name: String): Int = resources.getIdentifier(name, "string", packageName)
