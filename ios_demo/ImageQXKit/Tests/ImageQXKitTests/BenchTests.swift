import Foundation
import Testing

@testable import ImageQXKit

@Suite struct BenchTests {
    private let artifacts: [Artifact]
    private let pixels = RGBPicture(width: 1, height: 1, samples: [1, 2, 3])

    init() throws {
        let manifest = try Manifest(folder: Fixtures.artifacts)
        artifacts = [try manifest.coreML(.fp16), try manifest.coreML(.w8)]
    }

    @Test func modelsTakeTurns() async throws {
        let loads = Log()
        let subjects = artifacts.map { artifact in
            BenchSubject(artifact) {
                await loads.add(artifact.precision)
                return FakeModel(spec: artifact.spec) { _ in
                    try await Task.sleep(for: .milliseconds(2))
                    return ModelOutputs([:])
                }
            }
        }
        let measured = try await measure(subjects, .quickTrial, pixels: pixels)
        #expect(await loads.entries == ["fp16", "w8", "fp16", "w8"])
        #expect(measured.map(\.precision) == ["fp16", "w8"])
        for one in measured {
            #expect(one.samples.count == 2 && one.seconds.count >= 10 && one.unavailable == nil)
            #expect(one.samples.allSatisfy { $0.seconds.reduce(0, +) >= 0.2 })
        }
        try write(measured)
    }

    @Test func aModelThatFailsIsAResultOfItsOwn() async throws {
        let subjects = artifacts.map { artifact in
            BenchSubject(artifact) {
                FakeModel(spec: artifact.spec) { _ in
                    if artifact.precision == "w8" { throw ImageQXError.modelFailed(why: "no memory") }
                    try await Task.sleep(for: .milliseconds(2))
                    return ModelOutputs([:])
                }
            }
        }
        let measured = try await measure(subjects, .quickTrial, pixels: pixels)
        #expect(
            measured[1].failed && measured[1].unavailable?.contains("no memory") == true && measured[1].samples == [])
        #expect(!measured[0].failed && measured[0].samples.count == 2)
    }

    @Test func measuringCanBeCancelled() async throws {
        let artifact = artifacts[0]
        let pixels = pixels
        let task = Task {
            try await measure(
                [
                    BenchSubject(artifact) {
                        FakeModel(spec: artifact.spec) { _ in
                            try await Task.sleep(for: .milliseconds(2))
                            return ModelOutputs([:])
                        }
                    }
                ],
                BenchRun.Schedule(), pixels: pixels)
        }
        try await Task.sleep(for: .milliseconds(20))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func quartilesAreNumPys() {
        let quartiles = Quartiles([4, 1, 3, 2])
        #expect(quartiles?.lower == 1.75 && quartiles?.median == 2.5 && quartiles?.upper == 3.25)
        #expect(Quartiles([]) == nil && Quartiles([7])?.upper == 7)
    }

    /// Writes a run where Python reads it: test_ios_kit.py holds it to imageqx_export.bench.model.BenchRun.
    private func write(_ measured: [BenchRun.Measurement]) throws {
        let run = BenchRun(
            started: 1.5e9,
            machine: .init(
                name: "iPhone15,2", cores: 6, abi: "arm64", system: "iOS 17.4", facts: ["thermal_state": "fair"]),
            schedule: .quickTrial, toolVersions: ["Core_ML": "17.4"],
            checkpoint: try Manifest(folder: Fixtures.artifacts).checkpointSHA256, measurements: measured)
        let data = try run.json()
        #expect(try JSONDecoder().decode(BenchRun.self, from: data) == run)
        try data.write(to: Fixtures.folder.appendingPathComponent("run.json"))
    }
}

actor Log {
    private(set) var entries = [String]()
    func add(_ entry: String) { entries.append(entry) }
}
