/// What the model says of one photo: is it good enough, and if not, what should the person do differently.
public struct Verdict: Equatable, Sendable {
    /// What was decided: one of the spec's labels, or `good` or `poor` where the answer is binary.
    public let label: String
    /// Whether the person should take the photo again.
    public let retake: Bool
    /// Per label its probability, in the spec's order.
    public let probabilities: [Probability]
    /// Every reason, or every region of the frame, the worst first.
    public let reasons: [Reason]
    /// What to say where no reason is given; empty where the likeliest reason's own hint is said.
    let fallback: String

    /// A label and its probability.
    public struct Probability: Equatable, Sendable {
        /// The label.
        public let label: String
        /// In [0, 1].
        public let value: Float
    }

    /// The reasons that count as given, the worst first.
    public var given: [Reason] { reasons.filter(\.given) }

    /// What to tell the person, the worst reason first; empty if the photo is good enough.
    ///
    /// A poor photo without a reason above its threshold gets the likeliest one, as "poor" alone helps nobody.
    public var hints: [String] {
        guard retake else { return [] }
        if !given.isEmpty { return given.map(\.hint) }
        return fallback.isEmpty ? reasons.prefix(1).map(\.hint) : [fallback]
    }

    /// The names of ``hints``, by which an app finds its own words in the user's language; see ``ModelSpec/hints``.
    public var hintNames: [String] {
        guard retake else { return [] }
        if !given.isEmpty { return given.map(\.name) }
        return fallback.isEmpty ? reasons.prefix(1).map(\.name) : [Self.fallbackName]
    }

    /// The name of the hint of a poor photo in which no region stands out.
    public static let fallbackName = "poor"
}

/// One reason why a photo may be poor: a fault, or a bad part of the frame.
public struct Reason: Equatable, Sendable {
    /// Such as `blurry`, or a region's name.
    public let name: String
    /// How likely it is, in [0, 1].
    public let probability: Float
    /// Whether it counts: the probability reaches the threshold.
    public let given: Bool
    /// What to tell the person, in English.
    public let hint: String
    /// Where in the frame it is; nil for the whole of it.
    public let region: Region?
}
