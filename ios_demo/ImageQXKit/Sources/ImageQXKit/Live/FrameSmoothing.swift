/// Smooths what the model says of the preview's frames, so that the hint on the screen does not flicker.
///
/// The outputs are averaged with weights that fall off exponentially, and read by the spec's own rule; the shown hint
/// changes only once another has been the worst for some frames in a row.
public struct FrameSmoothing: Sendable {
    /// The weight of the newest frame, in (0, 1].
    public let weight: Float
    /// For how many frames in a row another hint must lead before it is shown.
    public let patience: Int

    private let spec: ModelSpec
    private var mean: [String: [Float]] = [:]
    private var shown: [String]?
    private var challenger: [String] = []
    private var lead = 0

    /// Makes a smoothing that has seen no frame.
    public init(_ spec: ModelSpec, weight: Float = 0.4, patience: Int = 2) {
        (self.spec, self.weight, self.patience) = (spec, min(max(weight, 0.01), 1), max(patience, 1))
    }

    /// Takes a frame's outputs.
    ///
    /// - Returns: The verdict on the mean, and the names of the hints to show; see ``Verdict/hintNames``.
    /// - Throws: ``ImageQXError/unusableOutput(name:why:)``; the frame is left out then.
    public mutating func add(_ outputs: ModelOutputs) throws -> (verdict: Verdict, hints: [String]) {
        _ = try spec.assess(outputs)
        for (name, values) in outputs.values {
            if let old = mean[name], old.count == values.count {
                mean[name] = zip(old, values).map { $0 + weight * ($1 - $0) }
            } else {
                mean[name] = values
            }
        }
        let verdict = try spec.assess(ModelOutputs(mean))
        return (verdict, choose(Array(verdict.hintNames.prefix(1))))
    }

    private mutating func choose(_ newest: [String]) -> [String] {
        guard let shown else {
            self.shown = newest
            return newest
        }
        lead = newest == shown ? 0 : (newest == challenger ? lead + 1 : 1)
        challenger = newest
        guard lead >= patience else { return shown }
        self.shown = newest
        lead = 0
        return newest
    }
}
