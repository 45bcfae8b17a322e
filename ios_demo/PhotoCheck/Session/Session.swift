import Foundation
import ImageQXKit
import Observation

/// Where the person is, and what leads on from there; every screen shows it, and none keeps more.
@MainActor
@Observable
final class Session {
    /// What is on the screen.
    enum Screen {
        case camera
        case assessing
        case result(PhotoResult)
        case problem(Problem)
        case done
        case speed
    }

    /// The screen.
    private(set) var screen = Screen.camera
    /// Loads the model.
    let loader: ModelLoader
    private var policy = RetakePolicy()
    private var work: Task<Void, Never>?

    /// Starts at the camera.
    init(loader: ModelLoader) { self.loader = loader }

    /// Assesses a photo, and shows what came of it.
    func assess(_ photo: Data) {
        work?.cancel()
        screen = .assessing
        work = Task {
            do {
                let assessment = try await loader.load().assess(photo)
                try Task.checkCancellation()
                show(assessment)
            } catch is CancellationError {
                // Whoever cancelled has chosen the next screen.
            } catch {
                screen = .problem(Problem(error))
            }
        }
    }

    /// Tells of what went wrong before there was a photo.
    func show(_ problem: Problem) { screen = .problem(problem) }

    /// Stops assessing, and goes back to the camera.
    func cancel() {
        work?.cancel()
        screen = .camera
    }

    /// Stops assessing, as the system asks for memory.
    func memoryIsLow() {
        let loader = loader
        Task { await loader.forget() }
        guard case .assessing = screen else { return }
        work?.cancel()
        screen = .problem(.memory)
    }

    /// Goes back to the camera for another try.
    func retake() { screen = .camera }

    /// Takes the photo as it is; in a clinic's app, it would be sent now.
    func send() {
        policy.startOver()
        screen = .done
    }

    /// Measures how fast the phone is.
    func openSpeed() { screen = .speed }

    private func show(_ assessment: Assessment) {
        screen = .result(PhotoResult(assessment: assessment, step: policy.count(assessment.verdict)))
    }
}

/// An assessed photo, and what the person may do with it.
struct PhotoResult: Sendable {
    let assessment: Assessment
    let step: RetakePolicy.Step
}
