/// How often a person is asked to take a photo again before it may be sent as it is.
///
/// A photo that cannot be improved, such as of a spot on one's own back, must not keep anybody from care.
public struct RetakePolicy: Equatable, Sendable {
    /// Poor photos in a row after which "send anyway" is offered.
    public let retakes: Int
    /// Poor photos in a row so far.
    public private(set) var poorPhotos = 0

    /// What an app does with an assessed photo.
    public enum Step: Equatable, Sendable {
        /// The photo is good enough: send it.
        case send
        /// Ask for another one; `left` more before "send anyway" is offered.
        case retake(left: Int)
        /// Ask for another one, and offer to send this one anyway.
        case retakeOrSendAnyway
    }

    /// Makes a policy.
    ///
    /// - Parameter retakes: Poor photos after which "send anyway" is offered; at least 1.
    public init(retakes: Int = 3) { self.retakes = max(retakes, 1) }

    /// Counts a verdict, and says what to do next.
    public mutating func count(_ verdict: Verdict) -> Step {
        guard verdict.retake else {
            poorPhotos = 0
            return .send
        }
        poorPhotos += 1
        return poorPhotos >= retakes ? .retakeOrSendAnyway : .retake(left: retakes - poorPhotos)
    }

    /// Starts over, as for another spot.
    public mutating func startOver() { poorPhotos = 0 }
}
