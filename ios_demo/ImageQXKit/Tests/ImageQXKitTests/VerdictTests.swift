import Foundation
import Testing

@testable import ImageQXKit

@Suite struct VerdictTests {
    @Test(arguments: Fixtures.all.verdicts.indices)
    func verdictsEqualPythons(_ index: Int) throws {
        let one = Fixtures.all.verdicts[index]
        var spec = try ModelSpec(metadata: one.spec)
        if let clinic = one.clinic {
            spec = try spec.applying(ClinicThresholds(contentsOf: Fixtures.folder.appendingPathComponent(clinic)))
        }
        let verdict = try spec.assess(ModelOutputs(one.outputs))
        #expect(verdict.label == one.expected.label)
        #expect(verdict.retake == one.expected.retake)
        #expect(verdict.hints == one.expected.hints)
        #expect(verdict.reasons.map(\.name) == one.expected.reasons.map(\.name))
        #expect(verdict.reasons.map(\.given) == one.expected.reasons.map(\.given))
        #expect(verdict.reasons.map(\.probability) == one.expected.reasons.map(\.probability))
        let shares = Dictionary(uniqueKeysWithValues: verdict.probabilities.map { ($0.label, $0.value) })
        #expect(shares == one.expected.probabilities)
    }

    @Test func outputsThatAreNoneAreRefused() throws {
        let one = Fixtures.all.verdicts[0]
        let spec = try ModelSpec(metadata: one.spec)
        for (broken, why) in [
            (one.outputs.filter { $0.key != "quality" }, "missing"),
            (one.outputs.merging(["quality": [1]]) { $1 }, "1 numbers"),
            (one.outputs.merging(["explanations": [.nan, 0, 0, 0, 0]]) { $1 }, "not finite"),
        ] {
            try expectRefusal(why) { _ = try spec.assess(ModelOutputs(broken)) }
        }
    }

    @Test func afterThreePoorPhotosOneMaySend() throws {
        let poor = try makeVerdict(retake: true)
        let good = try makeVerdict(retake: false)
        var policy = RetakePolicy(retakes: 3)
        #expect(policy.count(poor) == .retake(left: 2))
        #expect(policy.count(poor) == .retake(left: 1))
        #expect(policy.count(poor) == .retakeOrSendAnyway)
        #expect(policy.count(poor) == .retakeOrSendAnyway)
        #expect(policy.count(good) == .send)
        #expect(policy.count(poor) == .retake(left: 2))
        policy.startOver()
        #expect(policy.poorPhotos == 0 && RetakePolicy(retakes: 0).retakes == 1)
    }

    @Test func theHintDoesNotFlicker() throws {
        let spec = try ModelSpec(metadata: Fixtures.all.verdicts[0].spec)
        func frame(_ reason: Int) -> ModelOutputs {
            var explanations = [Float](repeating: 0, count: 5)
            explanations[reason] = 1
            return ModelOutputs([
                "quality": [0, 0, 0, 1], "explanations": explanations,
                "attention": [Float](repeating: 0, count: 245),
            ])
        }
        var smoothing = FrameSmoothing(spec, weight: 1, patience: 2)
        #expect(try smoothing.add(frame(2)).hints == ["blurry"])
        #expect(try smoothing.add(frame(0)).hints == ["blurry"])
        #expect(try smoothing.add(frame(2)).hints == ["blurry"])
        #expect(try smoothing.add(frame(0)).hints == ["blurry"])
        #expect(try smoothing.add(frame(0)).hints == ["bad_framing"])
        #expect(throws: ImageQXError.self) { try smoothing.add(ModelOutputs([:])) }
    }

    @Test func theThrottleRestsAsLongAsItWorks() {
        var throttle = FrameThrottle()
        #expect(throttle.admit(at: 0) && !throttle.admit(at: 0.01))
        throttle.finish(at: 0.3, took: 0.3, heat: .nominal)
        #expect(!throttle.admit(at: 0.59) && throttle.admit(at: 0.61))
        throttle.finish(at: 0.62, took: 0.01, heat: .serious)
        #expect(!throttle.admit(at: 1.1) && throttle.admit(at: 1.13))
    }

    private func makeVerdict(retake: Bool) throws -> Verdict {
        let spec = try ModelSpec(metadata: Fixtures.all.verdicts[0].spec)
        return try spec.assess(
            ModelOutputs(["quality": retake ? [0, 0, 0, 1] : [1, 0, 0, 0], "explanations": [0, 0, 1, 0, 0]]))
    }
}
