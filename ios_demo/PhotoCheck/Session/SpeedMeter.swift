import Foundation
import ImageQXKit
import Observation

/// Runs the plan of `imageqx bench` on the phone's models, and keeps the run as a file to share.
@MainActor
@Observable
final class SpeedMeter {
    /// What is going on.
    enum State {
        case idle
        case running(done: Int, of: Int)
        case finished(BenchRun, file: URL)
        case failed(Problem)
    }

    private(set) var state = State.idle
    private var work: Task<Void, Never>?

    /// Starts to measure.
    func start() {
        guard work == nil else { return }
        state = .running(done: 0, of: 1)
        work = Task {
            do {
                let run = try await run()
                let file = FileManager.default.temporaryDirectory.appendingPathComponent("imageqx-bench.json")
                try run.json().write(to: file)
                state = .finished(run, file: file)
            } catch is CancellationError {
                state = .idle
            } catch {
                state = .failed(Problem(error))
            }
            work = nil
        }
    }

    /// Stops measuring.
    func stop() { work?.cancel() }

    private func run() async throws -> BenchRun {
        let folder = try ModelLoader.openFolder()
        let subjects = try folder.precisions.map { precision in
            BenchSubject(try folder.manifest.coreML(precision)) { try await folder.load(precision, units: .all) }
        }
        guard let spec = subjects.first?.artifact.spec.preprocessing else { throw ImageQXError.missingFile("Model") }
        let grey = [UInt8](repeating: 128, count: spec.width * spec.height * 3)
        let schedule = BenchRun.Schedule()
        let started = Date().timeIntervalSince1970
        let measured = try await measure(
            subjects, schedule, pixels: RGBPicture(width: spec.width, height: spec.height, samples: grey),
            cool: {
                while Phone.heat.rawValue > FrameThrottle.Heat.fair.rawValue { try await Task.sleep(for: .seconds(2)) }
            },
            progress: { done, all in await self.show(done, all) })
        return BenchRun(
            started: started, machine: Phone.machine, schedule: schedule, toolVersions: ["coreml": Phone.system],
            checkpoint: folder.manifest.checkpointSHA256, measurements: measured)
    }

    private func show(_ done: Int, _ all: Int) { state = .running(done: done, of: all) }
}
