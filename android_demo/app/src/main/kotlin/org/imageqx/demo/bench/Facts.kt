package org.imageqx.demo.bench

import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import android.os.SystemClock
import org.imageqx.demo.service
import java.io.File

/** Android's own clocks. */
internal object PhoneClock : Clock {
    override fun nanos(): Long = SystemClock.elapsedRealtimeNanos()

    override fun wall(): Double = System.currentTimeMillis() / 1e3
}

/** Describes the phone, without anything that names its owner: no serial number, no Android id. */
internal fun readMachine(context: Context): Machine = Machine(
    name = "${Build.MANUFACTURER} ${Build.MODEL}",
    cores = Runtime.getRuntime().availableProcessors(),
    abi = Build.SUPPORTED_ABIS.firstOrNull() ?: "unknown",
    system = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
    facts = buildMap {
        put("hardware", Build.HARDWARE)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) put("chip", Build.SOC_MODEL)
        put("power_save", context.service<PowerManager>().isPowerSaveMode.toString())
        readBattery(context, BatteryManager.EXTRA_LEVEL)?.let { put("battery_percent", it.toString()) }
    },
)

/** The battery's temperature in °C, the one sensor that every app may read; null where there is none. */
internal fun readTemperature(context: Context): Double? =
    readBattery(context, BatteryManager.EXTRA_TEMPERATURE)?.let { it / 10.0 }?.takeIf { it > 0 && it < 150 }

/** Whether the phone slows itself down since it is hot; Android tells from 10 on. */
internal fun isHot(context: Context): Boolean =
    Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q &&
        context.service<PowerManager>().currentThermalStatus >= PowerManager.THERMAL_STATUS_MODERATE

/** The largest resident memory of this process so far, in bytes, or null where Linux does not tell. */
internal fun readPeakMemory(status: File = File("/proc/self/status")): Long? = try {
    status.useLines { lines -> lines.firstOrNull { it.startsWith("VmHWM:") } }
        ?.split(Regex("\\s+"))?.getOrNull(1)?.toLongOrNull()?.times(1024)
} catch (_: java.io.IOException) {
    null
}

private fun readBattery(context: Context, key: String): Int? =
    context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        ?.getIntExtra(key, Int.MIN_VALUE)?.takeIf { it != Int.MIN_VALUE }
