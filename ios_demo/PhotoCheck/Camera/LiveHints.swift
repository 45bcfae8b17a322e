import ImageQXKit
import Observation

/// What the live preview says: the camera's state, and the hint of the moment.
@MainActor
@Observable
final class LiveHints {
    /// The camera's state.
    enum State {
        case starting
        case running
        case unavailable(CameraError)
    }

    private(set) var state = State.starting
    /// The hint to show; nil: the photo would be good.
    private(set) var hint: String?
    /// Whether a frame has been assessed at all.
    private(set) var hasAssessed = false
    /// The camera.
    let camera = Camera()

    /// Runs the camera and assesses its frames, until the task is cancelled.
    func run(_ loader: ModelLoader) async {
        do {
            try await Camera.requireAccess()
            let frames = try await camera.start()
            state = .running
            // Without a model the camera still works; the photo's own assessment says what is wrong with the model.
            guard let model = try? await loader.load() else { return }
            await watch(frames, model)
        } catch let error as CameraError {
            state = .unavailable(error)
        } catch {
            state = .unavailable(.failed)
        }
    }

    private func watch(_ frames: AsyncStream<DecodedPhoto>, _ model: ImageQX) async {
        var smoothing = FrameSmoothing(model.spec)
        for await frame in frames {
            let begin = ContinuousClock.now
            if let assessment = try? await model.assess(frame), let said = try? smoothing.add(assessment.outputs) {
                hasAssessed = true
                hint = said.verdict.retake ? said.hints.first.map { name in Words.hint(name, else: name) } : nil
            }
            let took = begin.duration(to: .now).components
            camera.finishFrame(took: Double(took.seconds) + Double(took.attoseconds) * 1e-18)
        }
    }
}
