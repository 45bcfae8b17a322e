import Foundation
import Testing

@testable import ImageQXKit

@Suite struct TrustTests {
    private let right = SelfTestReport(maxAbs: 0, decisions: 1, differing: 0, problem: nil)

    @Test func aPhoneIsAskedOnce() async {
        let (store, asked) = (MemoryStore(), Log())
        let gate = TrustGate(store: store)
        for _ in 0..<2 {
            let units = await gate.choose(key: "a") {
                await asked.add("a")
                return right
            }
            #expect(units == .all)
        }
        #expect(await asked.entries == ["a"])
        #expect(await gate.choose(key: "b") { throw ImageQXError.modelFailed(why: "") } == .cpuOnly)
        #expect(await store.answer(for: "b") == .wrong)
    }

    @Test func aWrongAnswerMeansTheCPU() async {
        let gate = TrustGate(store: MemoryStore())
        let wrong = SelfTestReport(maxAbs: 1, decisions: 1, differing: 1, problem: "max |Δ| 1")
        #expect(await gate.choose(key: "a") { wrong } == .cpuOnly)
        #expect(await gate.choose(key: "a") { right } == .cpuOnly)
    }

    @Test func aCrashWhileAskingMeansTheCPU() async {
        let store = MemoryStore()
        await store.keep(.asked, for: "a")
        #expect(await TrustGate(store: store).choose(key: "a") { right } == .cpuOnly)
        #expect(await store.answer(for: "a") == .wrong)
    }

    @Test func aPhoneThatTakesTooLongIsNotWaitedFor() async {
        let begin = ContinuousClock.now
        let units = await TrustGate(store: MemoryStore()).choose(key: "a", patience: 0.05) {
            // As Core ML: it does not hear of being cancelled.
            await withCheckedContinuation { done in
                DispatchQueue.global().asyncAfter(deadline: .now() + 600) { done.resume() }
            }
            return right
        }
        #expect(units == .cpuOnly && begin.duration(to: .now) < .seconds(60))
    }

    @Test(arguments: Precision.allCases)
    func aModelThatGivesPyTorchsNumbersPasses(_ precision: Precision) async throws {
        let golden = Fixtures.artifacts.appendingPathComponent("golden")
        let test = try SelfTest(folder: golden)
        let spec = try Manifest(folder: Fixtures.artifacts).coreML(precision).spec
        let expectation = try #require(test.expectations[precision.rawValue])
        let outputs = try GoldenOutputs(golden.appendingPathComponent(expectation.outputs), spec: spec)
        let pictures = Log()
        let decoder = GoldenDecoder()
        let model = FakeModel(spec: spec) { pixels in
            await pictures.add("one")
            let number = await pictures.entries.count - 1
            #expect((pixels.width, pixels.height) == (spec.preprocessing.width, spec.preprocessing.height))
            return try outputs.outputs(of: test.pictures[number])
        }
        let report = try await test.ask(model, precision, folder: golden, decoder: decoder)
        #expect(report.passed && report.maxAbs == 0 && report.decisions > 0)
        let constant = FakeModel(spec: spec) { _ in try outputs.outputs(of: test.pictures[0]) }
        #expect(try await !test.ask(constant, precision, folder: golden, decoder: decoder).passed)
        let failing = FakeModel(spec: spec) { _ in throw ImageQXError.modelFailed(why: "no") }
        #expect(try await test.ask(failing, precision, folder: golden, decoder: decoder).problem == "no")
    }
}

actor MemoryStore: TrustStore {
    private var answers = [String: TrustAnswer]()
    func answer(for key: String) async -> TrustAnswer? { answers[key] }
    func keep(_ answer: TrustAnswer, for key: String) async { answers[key] = answer }
}
