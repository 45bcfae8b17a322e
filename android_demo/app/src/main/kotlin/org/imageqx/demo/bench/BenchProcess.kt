package org.imageqx.demo.bench

import android.content.ComponentName
import android.content.Context
import android.content.Intent
import android.content.ServiceConnection
import android.os.Bundle
import android.os.Handler
import android.os.HandlerThread
import android.os.IBinder
import android.os.Message
import android.os.Messenger
import android.os.RemoteException
import java.util.concurrent.ArrayBlockingQueue
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

/** Runs models in fresh processes of this app: [BenchService], which ends when it is let go. Blocks; not for the main thread. */
internal class BenchProcess(private val context: Context) : BenchPhone {
    override fun sample(model: BenchModel, schedule: Schedule): Sample =
        when (val reply = ask(BenchRequest(model.file, schedule, memory = false))) {
            is BenchReply.Timed -> reply.sample
            is BenchReply.Failed -> throw BenchFailedException(reply.message)
            is BenchReply.Memory -> throw BenchFailedException("bytes came in place of times")
        }

    override fun measurePeakMemory(model: BenchModel, schedule: Schedule): Long? =
        when (val reply = ask(BenchRequest(model.file, schedule, memory = true))) {
            is BenchReply.Memory -> reply.bytes
            is BenchReply.Failed -> throw BenchFailedException(reply.message)
            is BenchReply.Timed -> throw BenchFailedException("times came in place of bytes")
        }

    override fun isHot(): Boolean = isHot(context)

    override fun rest() = Thread.sleep(REST_MILLIS)

    private fun ask(request: BenchRequest): BenchReply {
        val replies = ArrayBlockingQueue<BenchReply>(1)
        val gone = CountDownLatch(1)
        val thread = HandlerThread("bench").apply { start() }
        val answers = Messenger(
            object : Handler(thread.looper) {
                override fun handleMessage(message: Message) {
                    replies.offer(BenchReply.read(message.data))
                }
            },
        )
        val connection = Connection(request.toBundle(), answers, replies, gone)
        try {
            val bound = context.bindService(
                Intent(context, BenchService::class.java),
                connection,
                Context.BIND_AUTO_CREATE,
            )
            if (!bound) throw BenchFailedException("Android does not start the process")
            return replies.poll(REPLY_SECONDS, TimeUnit.SECONDS) ?: throw BenchFailedException("no answer in $REPLY_SECONDS s")
        } finally {
            context.unbindService(connection)
            if (connection.connected) gone.await(GONE_SECONDS, TimeUnit.SECONDS) // else the next is no fresh process
            thread.quitSafely()
        }
    }

    private class Connection(
        private val request: Bundle,
        private val answers: Messenger,
        private val replies: ArrayBlockingQueue<BenchReply>,
        private val gone: CountDownLatch,
    ) : ServiceConnection {
        @Volatile var connected = false

        override fun onServiceConnected(name: ComponentName, binder: IBinder) {
            connected = true
            val message = Message.obtain().apply {
                data = request
                replyTo = answers
            }
            try {
                binder.linkToDeath({ gone.countDown() }, 0)
                Messenger(binder).send(message)
            } catch (error: RemoteException) {
                gone.countDown()
                replies.offer(BenchReply.Failed("the process ended at once: $error"))
            }
        }

        override fun onServiceDisconnected(name: ComponentName) {
            gone.countDown()
            replies.offer(BenchReply.Failed("the process died; perhaps the memory is full"))
        }
    }

    private companion object {
        const val REPLY_SECONDS = 300L
        const val GONE_SECONDS = 10L
        const val REST_MILLIS = 5_000L
    }
}
