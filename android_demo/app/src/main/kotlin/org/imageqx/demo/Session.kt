package org.imageqx.demo

import org.imageqx.demo.assess.AssessorSlot
import org.imageqx.demo.assess.FramePixels
import org.imageqx.demo.assess.describe
import org.imageqx.demo.bench.SpeedMeter
import org.imageqx.demo.camera.Throttle
import org.imageqx.demo.photo.PhotoStore
import org.imageqx.demo.state.CameraAccess
import org.imageqx.demo.state.Effect
import org.imageqx.demo.state.Event
import org.imageqx.demo.state.Photo
import org.imageqx.demo.state.Problem
import org.imageqx.demo.state.State
import org.imageqx.demo.state.reduce
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.util.concurrent.Executor
import java.util.concurrent.ExecutorService
import java.util.concurrent.Future
import java.util.concurrent.RejectedExecutionException

/** What a [Session] leaves to the activity that is attached to it. */
internal interface Host {
    fun show(state: State)

    fun perform(effect: Effect)
}

/** What a [Session] works with; tests have their own. */
internal class Tools(
    val assessor: AssessorSlot,
    val settings: Settings,
    val store: PhotoStore,
    val meter: SpeedMeter,
    val main: Executor,
    val background: ExecutorService,
    val nanos: () -> Long = System::nanoTime,
)

/**
 * The state, and the work beside the screen; it outlives the activity when the phone is turned.
 *
 * All but [frame] is called on the main thread.
 */
internal class Session(private val tools: Tools, start: State = State()) {
    private var running: Future<*>? = null
    private val throttle = Throttle()
    private var closed = false

    /** The activity that is on the screen. */
    var host: Host? = null
        set(value) {
            field = value
            value?.show(state)
        }

    var state: State = start.copy(computing = tools.settings.computing)
        private set

    /** Takes an event: the next state is shown, then its effects are done. */
    fun send(event: Event) {
        if (closed) return
        val step = reduce(state, event)
        if (step.state != state) {
            state = step.state
            host?.show(state)
        }
        step.effects.forEach(::perform)
    }

    /** The app has come to the front, where [camera] is the camera's access: what an administrator may have changed is read. */
    fun start(camera: CameraAccess?) {
        send(Event.ComputingRead(tools.settings.computing))
        send(Event.Started(camera))
    }

    /** Does effects that came with a state from elsewhere. */
    fun perform(effect: Effect) {
        when (effect) {
            is Effect.Assess -> running = submit { assess(effect) }
            Effect.StopCheck -> running?.cancel(true)
            is Effect.Delete -> File(effect.photo.path).delete()
            Effect.DescribeEngine -> submit { guard({ Event.Failed(it) }) { Event.EngineDescribed(tools.assessor.get().describeEngine()) } }
            is Effect.KeepProcessor -> tools.settings.keepProcessor(effect.only)
            Effect.Reopen -> submit { tools.assessor.drop() }
            Effect.Measure -> tools.meter.start { progress -> post(Event.Measured(progress)) }
            Effect.StopMeasuring -> tools.meter.stop()
            else -> host?.perform(effect)
        }
    }

    /** Puts a photo into the cache and has it checked; [open] gives its bytes. */
    fun take(open: () -> InputStream?) {
        submit {
            guard({ Event.Failed(it) }) {
                val source = open() ?: throw IOException("nothing to read")
                val file = source.use(tools.store::save)
                tools.store.clear(kept = file)
                Event.PhotoCame(Photo(file.path))
            }
        }
    }

    /** Whether a frame of the live picture is worth converting now; if so, [frame] must follow. Any thread. */
    fun wantsFrame(): Boolean = throttle.begin(tools.nanos())

    /** Assesses a frame that was [wanted][wantsFrame]; null: it could not be had. Any thread. */
    fun frame(pixels: FramePixels?) {
        val task = submit {
            try {
                val frame = pixels ?: return@submit
                guard({ Event.Failed(it) }) { Event.FrameAssessed(tools.assessor.get().advise(frame, tools.nanos())) }
            } finally {
                throttle.end(tools.nanos())
            }
        }
        if (task == null) throttle.end(tools.nanos())
    }

    /** Ends the work; the photo's file stays if [keepPhoto], for a process that may be begun anew. */
    fun close(keepPhoto: Boolean) {
        closed = true
        host = null
        tools.meter.stop()
        tools.background.execute {
            tools.assessor.drop()
            if (!keepPhoto) tools.store.clear()
        }
        tools.background.shutdown()
    }

    private fun assess(effect: Effect.Assess) = guard({ Event.CheckFailed(effect.check, it) }) {
        val bytes = File(effect.photo.path).readBytes()
        Event.Assessed(effect.check, tools.assessor.get().assess(bytes))
    }

    /** Posts what [work] gives, or what becomes of its error; an error of this app itself is not hidden. */
    private fun guard(failed: (Problem) -> Event, work: () -> Event) {
        val event = try {
            work()
        } catch (error: Throwable) {
            val problem = describe(error)
            if (problem == null) return tools.main.execute { throw error }
            failed(problem)
        }
        post(event)
    }

    private fun post(event: Event) = tools.main.execute { send(event) }

    private fun submit(task: Runnable): Future<*>? = try {
        tools.background.submit(task)
    } catch (_: RejectedExecutionException) { // closed in between
        null
    }
}
