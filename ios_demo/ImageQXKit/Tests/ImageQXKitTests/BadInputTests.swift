import Foundation
import Testing

@testable import ImageQXKit

/// Bad input, item by item, from its bytes to what the person is told; the next photo is assessed. See README's table.
@Suite @MainActor struct BadInputTests {
    private let spec: ModelSpec
    private let outputs: ModelOutputs
    private let flow = AssessmentFlow()
    private let good: Data

    init() throws {
        spec = try ModelSpec(metadata: Fixtures.all.verdicts[0].spec)
        outputs = ModelOutputs(Fixtures.all.verdicts[0].outputs)
        good = try readFile(Fixtures.artifacts.appendingPathComponent("golden/00.png"))
    }

    private func makeModel(
        _ decoder: any PhotoDecoder = GoldenDecoder(),
        _ answer: (@Sendable (RGBPicture) async throws -> ModelOutputs)? = nil
    ) throws -> ImageQX {
        let outputs = outputs
        return try ImageQX(model: FakeModel(spec: spec, answer: answer ?? { _ in outputs }), decoder: decoder)
    }

    /// Assesses a photo; returns what the person is told is wrong, or nil.
    private func problem(of photo: Data, load: @escaping @Sendable () async throws -> ImageQX) async -> Problem? {
        let outcome = await withCheckedContinuation { done in
            flow.begin(photo, with: load) { done.resume(returning: $0) }
        }
        if case .failed(let problem) = outcome { return problem }
        return nil
    }

    private func golden(_ name: String) throws -> Data {
        try readFile(GoldenPhotoTests.folder.appendingPathComponent(name))
    }

    @Test func photosThatCannotBeAssessedSayWhy() async throws {
        let model = try makeModel()
        var huge = good
        huge.replaceSubrange(16..<24, with: [0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF])
        let sum = checksum(huge[12..<29])
        huge.replaceSubrange(29..<33, with: (0..<4).map { UInt8(truncatingIfNeeded: sum >> (24 - 8 * UInt32($0))) })
        let heic = Data([0, 0, 0, 24]) + Data("ftypheic".utf8) + Data(count: 40)
        let bad: [(Data, Problem)] = [
            (Data(), .photo), (Data("no photo at all".utf8), .photo), (good.prefix(good.count / 2), .photo),
            (heic, .photo), (huge, .size),
        ]
        for (photo, told) in bad {
            #expect(await problem(of: photo) { model } == told)
            #expect(await problem(of: good) { model } == nil)
        }
    }

    // Not in the macro's own line: Swift 6.0.3 ends with a signal at a closure there.
    nonisolated static let odd =
        ["dot_1x1.png", "column_1x300.png", "grey_200x300.jpg"] + (1...8).map { "orientation_\($0).jpg" }

    @Test(arguments: odd)
    func oddPhotosAreAssessed(_ name: String) async throws {
        let model = try makeModel()
        #expect(await problem(of: try golden(name)) { model } == nil)
    }

    @Test func modelsThatAreMissingOrDamagedSaySo() async throws {
        let artifacts = Fixtures.artifacts
        let folder = try TemporaryFolder()
        let manifest = try Manifest(folder: artifacts)
        let (one, other) = (try manifest.coreML(.w8), try manifest.coreML(.fp16))
        let place = folder.url
        #expect(
            await problem(of: good) {
                _ = try Manifest(folder: place)
                throw CancellationError()
            } == .modelMissing)
        let load: @Sendable () async throws -> ImageQX = {
            _ = try one.verified(in: place)
            throw CancellationError()
        }
        #expect(await problem(of: good, load: load) == .modelMissing)
        let copy = place.appendingPathComponent(one.path)
        try FileManager.default.copyItem(at: artifacts.appendingPathComponent(other.path), to: copy)
        #expect(await problem(of: good, load: load) == .modelDamaged)
        try FileManager.default.removeItem(at: copy)
        try FileManager.default.copyItem(at: artifacts.appendingPathComponent(one.path), to: copy)
        let weights = copy.appendingPathComponent("Data/com.apple.CoreML/weights/weight.bin")
        try Data(contentsOf: weights).dropLast(1).write(to: weights)
        #expect(await problem(of: good, load: load) == .modelDamaged)
    }

    @Test func filesOfANewerVersionSaySo() async throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("{\"schema_version\": 99}", to: "manifest.json")
        let place = folder.url
        #expect(
            await problem(of: good) {
                _ = try Manifest(folder: place)
                throw CancellationError()
            } == .modelNewer)
        #expect(
            await problem(of: good) {
                _ = try ModelSpec(metadata: "{\"schema_version\": 99}")
                throw CancellationError()
            } == .modelNewer)
        _ = try await makeModel().assess(good)
    }

    @Test func aCameraThatMayNotBeUsedSaysSo() async throws {
        try await CameraPermission.granted.require { false }
        try await CameraPermission.unasked.require { true }
        await #expect(throws: CameraError.refused) { try await CameraPermission.unasked.require { false } }
        await #expect(throws: CameraError.refused) { try await CameraPermission.refused.require { true } }
        for error in [CameraError.refused, .missing, .failed] { #expect(Problem(error) == .camera) }
    }

    @Test func aPhotoThatDoesNotFitIntoMemorySaysSo() async throws {
        let model = try makeModel(FullDecoder())
        #expect(await problem(of: good) { model } == .memory)
        let other = try makeModel()
        #expect(await problem(of: good) { other } == nil)
    }

    @Test func lowMemoryInMidAssessmentStopsIt() async throws {
        let shown = try await interrupt { $0.memoryIsLow() }
        #expect(shown == [.memory])
        flow.memoryIsLow()  // nothing is being assessed: nothing is told
        let model = try makeModel()
        #expect(await problem(of: good) { model } == nil)
    }

    @Test func cancellingInMidAssessmentTellsNothing() async throws {
        #expect(try await interrupt { $0.cancel() } == [])
        let model = try makeModel()
        #expect(await problem(of: good) { model } == nil)
    }

    @Test func anotherPhotoTakesThePlaceOfTheOneBefore() async throws {
        let model = try makeModel()
        let good = good
        let shown = try await interrupt { flow in
            await withCheckedContinuation { done in flow.begin(good, with: { model }, show: { _ in done.resume() }) }
        }
        #expect(shown == [])
    }

    /// Begins an assessment, does something in its middle, and returns the problems that were told of it.
    private func interrupt(_ action: @MainActor (AssessmentFlow) async -> Void) async throws -> [Problem] {
        let (started, begin) = AsyncStream.makeStream(of: Void.self)
        let (ended, end) = AsyncStream.makeStream(of: Void.self)
        let outputs = outputs
        let model = try makeModel { _ in
            begin.yield()
            try? await Task.sleep(for: .seconds(30))
            end.yield()
            return outputs
        }
        var told = [Problem]()
        var assessed = 0
        let show: @MainActor (AssessmentFlow.Outcome) -> Void = { outcome in
            if case .failed(let problem) = outcome { told.append(problem) } else { assessed += 1 }
        }
        flow.begin(good, with: { model }, show: show)
        for await _ in started { break }
        await action(flow)
        for await _ in ended { break }  // it was cancelled, or this takes 30 seconds
        for _ in 0..<100 { await Task.yield() }
        #expect(assessed == 0)
        return told
    }

    private func makeModel(_ answer: @escaping @Sendable (RGBPicture) async throws -> ModelOutputs) throws -> ImageQX {
        try makeModel(GoldenDecoder(), answer)
    }

    private func checksum(_ bytes: Data) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { part, _ in part & 1 == 1 ? part >> 1 ^ 0xEDB8_8320 : part >> 1 }
        }
    }
}

/// A decoder that has no memory left.
private struct FullDecoder: PhotoDecoder {
    func decode(_ file: Data, keeping least: (width: Int, height: Int)) throws -> DecodedPhoto {
        throw ImageQXError.outOfMemory(bytes: 48_000_000)
    }
}
