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
    private let flow = AssessmentFlow()

    /// Starts at the camera.
    init(loader: ModelLoader) { self.loader = loader }

    /// Assesses a photo, and shows what came of it.
    func assess(_ photo: Data) {
        screen = .assessing
        let loader = loader
        flow.begin(photo, with: { try await loader.load() }, show: { [weak self] in self?.show($0) })
    }

    /// Tells of what went wrong before there was a photo.
    func show(_ problem: Problem) { screen = .problem(problem) }

    /// Stops assessing, and goes back to the camera.
    func cancel() {
        flow.cancel()
        screen = .camera
    }

    /// Stops assessing, as the system asks for memory.
    func memoryIsLow() {
        let loader = loader
        Task { await loader.forget() }
        flow.memoryIsLow()
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

    private func show(_ outcome: AssessmentFlow.Outcome) {
        switch outcome {
        case .assessed(let assessment):
            screen = .result(PhotoResult(assessment: assessment, step: policy.count(assessment.verdict)))
        case .failed(let problem):
            screen = .problem(problem)
        }
    }
}

/// An assessed photo, and what the person may do with it.
struct PhotoResult: Sendable {
    let assessment: Assessment
    let step: RetakePolicy.Step
}
