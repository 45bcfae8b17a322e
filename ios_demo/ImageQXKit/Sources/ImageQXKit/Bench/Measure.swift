import Foundation

/// Something that a benchmark loads and runs; the app gives Core ML's, a test its own.
public struct BenchSubject: Sendable {
    /// The model's entry in the manifest.
    public let artifact: Artifact
    /// Loads the model afresh.
    public let load: @Sendable () async throws -> any QualityModel

    /// Describes what is measured.
    public init(_ artifact: Artifact, load: @escaping @Sendable () async throws -> any QualityModel) {
        (self.artifact, self.load) = (artifact, load)
    }
}

/// Measures models as `imageqx bench` does: loaded afresh in turns, A B C A B C, so that a drift of the phone hits all
/// alike; each load runs once, warms up, and is then timed inference by inference.
///
/// - Parameters:
///   - subjects: What is measured.
///   - schedule: How often and how long.
///   - pixels: The picture.
///   - cool: Waits until the phone is cool enough to measure on.
///   - progress: Hears of the loads that are done, and of how many.
/// - Throws: `CancellationError` if the task is cancelled; a model that fails is a measurement that says so.
public func measure(
    _ subjects: [BenchSubject], _ schedule: BenchRun.Schedule, pixels: RGBPicture,
    cool: @Sendable () async throws -> Void = {}, progress: @Sendable (Int, Int) async -> Void = { _, _ in }
) async throws -> [BenchRun.Measurement] {
    var samples = [String: [BenchRun.Sample]]()
    var failures = [String: String]()
    let turns = (0..<schedule.processes).flatMap { _ in subjects }
    for (done, subject) in turns.enumerated() {
        try Task.checkCancellation()
        try await cool()
        await progress(done, turns.count)
        let name = subject.artifact.path
        guard failures[name] == nil else { continue }
        do {
            samples[name, default: []].append(try await time(subject, schedule, pixels))
        } catch let error as CancellationError {
            throw error
        } catch {
            failures[name] = (error as? any LocalizedError)?.errorDescription ?? "\(error)"
        }
    }
    return subjects.map { subject in
        let artifact = subject.artifact
        let failure = failures[artifact.path]
        return BenchRun.Measurement(
            artifact: artifact.path, sha256: artifact.sha256, format: artifact.format, precision: artifact.precision,
            sizeBytes: artifact.sizeBytes, samples: failure == nil ? samples[artifact.path] ?? [] : [], maxError: nil,
            unavailable: failure, failed: failure != nil,
            notes: ["processes: the model loaded afresh, as an app starts no processes"])
    }
}

/// Times one load of a model.
private func time(_ subject: BenchSubject, _ schedule: BenchRun.Schedule, _ pixels: RGBPicture) async throws
    -> BenchRun.Sample
{
    let started = Date().timeIntervalSince1970
    let clock = ContinuousClock()
    let begin = clock.now
    let model = try await subject.load()
    let load = begin.duration(to: clock.now).seconds
    func run() async throws -> Double {
        try Task.checkCancellation()
        let begin = clock.now
        _ = try await model.run(pixels)
        return begin.duration(to: clock.now).seconds
    }
    let first = try await run()
    let warmUp = clock.now
    var warm = 0
    while warm < schedule.warmupRuns || warmUp.duration(to: clock.now).seconds < schedule.warmupSeconds {
        _ = try await run()
        warm += 1
    }
    var seconds = [Double]()
    var total = 0.0
    while seconds.count < schedule.runsEach || total < schedule.secondsEach {
        seconds.append(try await run())
        total += seconds[seconds.count - 1]
    }
    return BenchRun.Sample(loadSeconds: load, firstSeconds: first, seconds: seconds, started: started)
}
