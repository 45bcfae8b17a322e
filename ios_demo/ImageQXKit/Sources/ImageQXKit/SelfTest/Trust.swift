import Foundation

/// What is known of a phone's accelerator for one model.
public enum TrustAnswer: String, Codable, Sendable {
    /// It was asked and has not answered yet: if the app starts with this, the answer was a crash.
    case asked
    /// It computes the model right.
    case right
    /// It does not, or took too long.
    case wrong
}

/// Keeps answers from one start of the app to the next; `UserDefaults` in the app.
public protocol TrustStore: Sendable {
    /// Returns the answer under a key, or nil.
    func answer(for key: String) async -> TrustAnswer?
    /// Keeps an answer.
    func keep(_ answer: TrustAnswer, for key: String) async
}

/// Where a model's operations may run.
public enum ComputeUnits: String, CaseIterable, Sendable {
    /// On the CPU alone: what is trusted without asking.
    case cpuOnly
    /// Wherever Core ML likes: Neural Engine, GPU, CPU.
    case all
}

/// Asks a phone's accelerator once before it is trusted, as docs/self-test.md of imageqx-export says.
public struct TrustGate: Sendable {
    /// The longest that the phone may take to answer, in seconds.
    public static let patience = 20.0

    private let store: any TrustStore

    /// Makes a gate.
    public init(store: any TrustStore) { self.store = store }

    /// Chooses where a model may run.
    ///
    /// - Parameters:
    ///   - key: The model's SHA-256, the system's build, and the phone's kind: with another of them, it is asked again.
    ///   - patience: Seconds after which the phone counts as wrong.
    ///   - ask: Runs the self-test on the accelerator.
    public func choose(
        key: String, patience: Double = patience, ask: @escaping @Sendable () async throws -> SelfTestReport
    ) async -> ComputeUnits {
        switch await store.answer(for: key) {
        case .right: return .all
        case .wrong: return .cpuOnly
        case .asked:
            await store.keep(.wrong, for: key)
            return .cpuOnly
        case nil: break
        }
        await store.keep(.asked, for: key)
        let passed = await answer(within: patience, ask)
        await store.keep(passed ? .right : .wrong, for: key)
        return passed ? .all : .cpuOnly
    }

    private func answer(within patience: Double, _ ask: @escaping @Sendable () async throws -> SelfTestReport) async
        -> Bool
    {
        // Core ML cannot be interrupted, so whoever answers first counts, and the other is not waited for.
        let (answers, give) = AsyncStream.makeStream(of: Bool.self)
        let asking = Task {
            let report = try? await ask()
            give.yield(report?.passed ?? false)
        }
        let waiting = Task {
            try await Task.sleep(for: .seconds(patience))
            give.yield(false)
        }
        defer {
            asking.cancel()
            waiting.cancel()
        }
        for await answer in answers { return answer }
        return false
    }
}
