package org.imageqx.demo.assess

/** An assessor that is opened when it is first asked for, and may be opened anew. Of one thread, as its model is. */
internal class AssessorSlot(private val open: () -> Assessor) {
    private var assessor: Assessor? = null

    fun get(): Assessor = assessor ?: open().also { assessor = it }

    /** Closes the assessor, if there is one. */
    fun drop() {
        assessor?.close()
        assessor = null
    }
}
