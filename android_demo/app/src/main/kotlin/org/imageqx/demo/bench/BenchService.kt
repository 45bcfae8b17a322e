package org.imageqx.demo.bench

import android.app.Service
import android.content.Intent
import android.os.Bundle
import android.os.Handler
import android.os.HandlerThread
import android.os.IBinder
import android.os.Message
import android.os.Messenger
import android.os.Process
import android.os.RemoteException

/** Where the measuring process gets a model: an application, whatever the process. */
internal interface BenchSource {
    /** Loads a model and returns one inference of it: a fixed picture copied in, all outputs copied out. */
    fun loadInference(file: String, threads: Int): () -> Unit

    /** Ends this process, so that the next measurement has a fresh one. */
    fun endProcess() = Process.killProcess(Process.myPid())
}

/** Measures one model, once, in a process of its own. */
internal class BenchService : Service() {
    private var thread: HandlerThread? = null

    override fun onBind(intent: Intent): IBinder {
        val measuring = HandlerThread("measuring", Process.THREAD_PRIORITY_URGENT_DISPLAY).apply { start() }
        thread = measuring
        val handler = object : Handler(measuring.looper) {
            override fun handleMessage(message: Message) {
                val reply = answer(BenchRequest.read(message.data))
                send(message.replyTo, reply.toBundle())
            }
        }
        return Messenger(handler).binder
    }

    override fun onDestroy() {
        thread?.quit()
        (application as BenchSource).endProcess()
        super.onDestroy()
    }

    /** Does what is asked; what goes wrong is in the answer. */
    internal fun answer(request: BenchRequest): BenchReply {
        val source = application as BenchSource
        return try {
            if (request.memory) {
                val run = source.loadInference(request.model, request.schedule.threads)
                repeat(request.schedule.runsEach) { run() }
                BenchReply.Memory(readPeakMemory())
            } else {
                val sample = time(request.schedule, PhoneClock, { readTemperature(this) }) {
                    source.loadInference(request.model, request.schedule.threads)
                }
                BenchReply.Timed(sample)
            }
        } catch (error: Exception) { // whatever a runtime raises: the person reads one line
            BenchReply.Failed("${error.javaClass.simpleName}: ${error.message}".take(MOST_CHARACTERS))
        } catch (error: LinkageError) { // the runtime's native library is not for this phone
            BenchReply.Failed("${error.javaClass.simpleName}: ${error.message}".take(MOST_CHARACTERS))
        } catch (_: OutOfMemoryError) {
            BenchReply.Failed("the memory is full")
        }
    }

    private fun send(to: Messenger?, bundle: Bundle) {
        try {
            to?.send(Message.obtain().apply { data = bundle })
        } catch (_: RemoteException) { // who asked is gone
        }
    }

    private companion object {
        const val MOST_CHARACTERS = 300
    }
}
