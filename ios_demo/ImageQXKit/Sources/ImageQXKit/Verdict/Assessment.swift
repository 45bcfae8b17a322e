/// Everything that one assessment of a photo gives.
public struct Assessment: Equatable, Sendable {
    /// The decision.
    public let verdict: Verdict
    /// Where the model looks, one map a reason, in the spec's order; empty where the model has none.
    public let attention: [AttentionMap]
    /// What the model gave, as it gave it.
    public let outputs: ModelOutputs
    /// The pixels that the model saw.
    public let pixels: RGBPicture
    /// Seconds from the photo's file to the pixels.
    public let preprocessingSeconds: Double
    /// Seconds that the model took.
    public let inferenceSeconds: Double

    /// The map of the worst reason, scaled by the largest value of all maps; nil where there are none.
    public var worstMap: AttentionMap? {
        let peak = attention.flatMap(\.values).max() ?? 0
        let worst = verdict.given.first ?? verdict.reasons.first
        return attention.first { $0.reason == worst?.name }?.scaled(by: peak)
    }
}
