import Foundation
import ImageQXKit

/// Loads the model once, on the phone's accelerator where that computes it right.
actor ModelLoader {
    private var loading: Task<ImageQX, any Error>?

    /// The folder that take_model.py filled, as it lies in the app.
    static func openFolder() throws -> ModelFolder {
        guard let place = Bundle.main.url(forResource: "Model", withExtension: nil) else {
            throw ImageQXError.missingFile("Model")
        }
        return try ModelFolder(place)
    }

    /// Returns the model; who asks while it is being loaded waits for the same one.
    func load() async throws -> ImageQX {
        if let loading { return try await loading.value }
        let task = Task { try await Self.open() }
        loading = task
        do {
            return try await task.value
        } catch {
            loading = nil  // the next one tries again
            throw error
        }
    }

    /// Lets go of the model; the next photo loads it again.
    func forget() { loading = nil }

    private static func open() async throws -> ImageQX {
        let opened = try openFolder()
        guard let precision = opened.precisions.first else { throw ImageQXError.missingFile("Model") }
        let loaded = try await opened.loadTrusted(precision, store: DefaultsTrustStore(), system: Phone.system)
        // A clinic's own thresholds lie beside the model.
        let file = opened.folder.appendingPathComponent("thresholds.json")
        let own = FileManager.default.fileExists(atPath: file.path) ? try ClinicThresholds(contentsOf: file) : nil
        return try ImageQX(model: loaded.model, decoder: ImageIODecoder(), thresholds: own)
    }
}

/// Keeps what is known of the accelerator in the app's settings.
struct DefaultsTrustStore: TrustStore {
    func answer(for key: String) async -> TrustAnswer? {
        UserDefaults.standard.string(forKey: name(key)).flatMap(TrustAnswer.init(rawValue:))
    }

    func keep(_ answer: TrustAnswer, for key: String) async {
        UserDefaults.standard.set(answer.rawValue, forKey: name(key))
    }

    private func name(_ key: String) -> String { "trust \(key)" }
}
