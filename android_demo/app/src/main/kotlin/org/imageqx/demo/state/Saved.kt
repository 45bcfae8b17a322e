package org.imageqx.demo.state

import org.imageqx.core.verdict.RetakePolicy

/**
 * What outlives the process when Android ends it in the background: a few words, as the photo lies in a file.
 *
 * @property photo the path of the photo that was being checked or shown; it is checked again.
 */
internal data class Saved(val photo: String?, val retakes: Int)

/** Returns what of a state is worth keeping. */
internal fun save(state: State): Saved = when (val screen = state.screen) {
    is Screen.Assessing -> Saved(screen.photo.path, state.policy.retakes)
    is Screen.Result -> Saved(screen.photo.path, state.policy.retakes)
    else -> Saved(null, state.policy.retakes)
}

/** Returns the state after a process's death, and what to do; [exists] tells whether a file is still there. */
internal fun restore(saved: Saved, exists: (String) -> Boolean): Step {
    val state = State(policy = RetakePolicy(saved.retakes.coerceAtLeast(0)))
    val photo = saved.photo?.takeIf(exists) ?: return Step(state)
    return reduce(state, Event.PhotoCame(Photo(photo)))
}
