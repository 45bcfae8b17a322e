import Foundation
import ImageQXKit

/// Facts of the phone that the app runs on.
enum Phone {
    /// The phone's kind, such as `iPhone15,2`.
    static var model: String {
        var system = utsname()
        uname(&system)
        return withUnsafeBytes(of: &system.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// The system with its build, and the phone's kind: the accelerator is asked again when one of them changes.
    static var system: String { "\(ProcessInfo.processInfo.operatingSystemVersionString) \(model)" }

    /// How warm it is.
    static var heat: FrameThrottle.Heat { .init(rawValue: ProcessInfo.processInfo.thermalState.rawValue) ?? .serious }

    /// What a run of the benchmark says of it.
    static var machine: BenchRun.Machine {
        let process = ProcessInfo.processInfo
        return BenchRun.Machine(
            name: model, cores: process.activeProcessorCount, abi: "arm64",
            system: "iOS \(process.operatingSystemVersionString)",
            facts: [
                "thermal_state": "\(heat)",
                "low_power_mode": "\(process.isLowPowerModeEnabled)",
            ])
    }
}
