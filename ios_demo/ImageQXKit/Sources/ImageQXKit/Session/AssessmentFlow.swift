import Foundation

/// Assesses photos for a screen, one at a time: a later one takes the place of the one before.
///
/// What is shown comes on the main actor, once a photo, and never after it was cancelled.
@MainActor
public final class AssessmentFlow {
    /// What becomes of a photo.
    public enum Outcome: Sendable {
        /// It was assessed.
        case assessed(Assessment)
        /// It was not.
        case failed(Problem)
    }

    private var work: Task<Void, Never>?
    private var show: (@MainActor (Outcome) -> Void)?

    /// Makes one that does nothing yet.
    public init() {}

    /// Begins to assess a photo.
    ///
    /// - Parameters:
    ///   - photo: The bytes of its file.
    ///   - load: Loads the model, or gives the one that is loaded.
    ///   - show: Hears what came of it.
    public func begin(
        _ photo: Data, with load: @escaping @Sendable () async throws -> ImageQX,
        show: @escaping @MainActor (Outcome) -> Void
    ) {
        cancel()
        self.show = show
        work = Task {
            let outcome: Outcome
            do {
                outcome = .assessed(try await load().assess(photo))
            } catch {
                outcome = .failed(Problem(error))
            }
            // Whoever cancelled has chosen the next screen.
            if !Task.isCancelled { end(with: outcome) }
        }
    }

    /// Stops assessing; nothing is shown of it any more.
    public func cancel() {
        work?.cancel()
        (work, show) = (nil, nil)
    }

    /// Stops assessing, as the system asks for memory, and shows that; does nothing where no photo is being assessed.
    public func memoryIsLow() {
        work?.cancel()
        end(with: .failed(.memory))
    }

    private func end(with outcome: Outcome) {
        let show = show
        (work, self.show) = (nil, nil)
        show?(outcome)
    }
}
