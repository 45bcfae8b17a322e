import Foundation
import Testing

@testable import ImageQXKit

@Suite struct AssessmentTests {
    private let spec: ModelSpec
    private let outputs: ModelOutputs

    init() throws {
        spec = try ModelSpec(metadata: Fixtures.all.verdicts[0].spec)
        outputs = ModelOutputs(Fixtures.all.verdicts[0].outputs)
    }

    private func makeModel(_ answer: (@Sendable (RGBPicture) async throws -> ModelOutputs)? = nil) throws -> ImageQX {
        let outputs = outputs
        return try ImageQX(model: FakeModel(spec: spec, answer: answer ?? { _ in outputs }), decoder: FakeDecoder())
    }

    @Test func anAssessmentHoldsEverything() async throws {
        let assessment = try await makeModel().assess(Data([1]))
        #expect(assessment.verdict.label == Fixtures.all.verdicts[0].expected.label)
        #expect(assessment.attention.map(\.reason) == spec.reasons && assessment.attention[4].values.count == 49)
        #expect((assessment.pixels.width, assessment.pixels.height) == (224, 224))
        #expect(assessment.preprocessingSeconds > 0 && assessment.inferenceSeconds >= 0)
        #expect(assessment.worstMap?.values.allSatisfy { (0...1).contains($0) } == true)
    }

    @Test func anEmptyFileIsNoPhoto() async throws {
        await #expect(throws: ImageQXError.unreadablePhoto(got: "0 bytes")) { try await makeModel().assess(Data()) }
    }

    @Test func aModelThatFailsSaysSo() async throws {
        let model = try makeModel { _ in throw ImageQXError.modelFailed(why: "no memory") }
        await #expect(throws: ImageQXError.modelFailed(why: "no memory")) { try await model.assess(Data([1])) }
        // The model can be used again.
        await #expect(throws: ImageQXError.self) { try await model.assess(Data([1])) }
    }

    @Test func cancellingInMidAssessmentThrowsCancellationError() async throws {
        let (started, begin) = AsyncStream.makeStream(of: Void.self)
        let outputs = outputs
        let model = try makeModel { _ in
            begin.yield()
            try? await Task.sleep(for: .seconds(30))
            return outputs
        }
        let task = Task { try await model.assess(Data([1])) }
        for await _ in started { break }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func aCancelledTaskDecodesNothing() async throws {
        let model = try makeModel { _ in
            Issue.record("the model ran")
            return ModelOutputs([:])
        }
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await model.assess(Data([1]))
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func thresholdsOfAnotherModelAreRefused() throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let file = try folder.write("{\"schema_version\": 1, \"reasons\": {\"ugly\": 1}}", to: "t.json")
        let own = try ClinicThresholds(contentsOf: file)
        #expect(throws: ImageQXError.self) {
            try ImageQX(
                model: FakeModel(spec: spec) { _ in ModelOutputs([:]) }, decoder: FakeDecoder(), thresholds: own)
        }
    }
}
