import Foundation

extension ModelSpec {
    /// Reads a model's outputs as a verdict; the same rule as `imageqx_export/decisions.py` and `predict/verdict.py`.
    ///
    /// - Throws: ``ImageQXError/unusableOutput(name:why:)``.
    public func assess(_ outputs: ModelOutputs) throws -> Verdict {
        if let binary { return try assess(binary, outputs) }
        let quality = try outputs.read(OutputName.quality, count: labels.count)
        let explanations = try outputs.read(OutputName.explanations, count: reasons.count)
        let label = labels[decide(quality)]
        let found = zip(reasons, explanations).map { name, probability in
            // The spec has doubles, and the comparison is in single precision, as in Python.
            let threshold = thresholds[name] ?? 1
            let reason = Reason(
                name: name, probability: probability, given: probability >= Float(threshold),
                hint: hints[name] ?? "", region: nil)
            return (reason, badness: (Double(probability) - threshold) / max(1 - threshold, 1e-6))
        }
        return Verdict(
            label: label,
            retake: label == OutputName.poor,
            probabilities: zip(labels, quality).map { .init(label: $0, value: $1) },
            reasons: sortWorstFirst(found),
            fallback: "")
    }

    /// Returns the index of the label: poor from the threshold on, and else the most probable of the others.
    func decide(_ quality: [Float]) -> Int {
        let poor = labels.firstIndex(of: OutputName.poor) ?? 0
        guard let threshold = poorQualityThreshold else { return indexOfLargest(quality, leavingOut: nil) }
        return quality[poor] >= Float(threshold) ? poor : indexOfLargest(quality, leavingOut: poor)
    }

    private func assess(_ binary: BinaryDecision, _ outputs: ModelOutputs) throws -> Verdict {
        let good = try outputs.read(binary.output, count: 1)[0]
        let isGood = good >= Float(binary.threshold)
        var found = [(Reason, badness: Double)]()
        if let regions = binary.regions {
            let chances = try outputs.read(regions.output, count: regions.parts.count)
            found = zip(regions.parts, chances).map { part, chance in
                let reason = Reason(
                    name: part.name, probability: 1 - chance, given: chance < Float(regions.threshold),
                    hint: part.hint, region: part)
                return (reason, badness: Double(1 - chance))
            }
        }
        return Verdict(
            label: isGood ? "good" : "poor",
            retake: !isGood,
            probabilities: [.init(label: "good", value: good), .init(label: "poor", value: 1 - good)],
            reasons: sortWorstFirst(found),
            fallback: binary.hint)
    }

    /// Returns the attention maps, one a reason, in the spec's order; empty where the model has none.
    ///
    /// - Throws: ``ImageQXError/unusableOutput(name:why:)``.
    public func attentionMaps(_ outputs: ModelOutputs) throws -> [AttentionMap] {
        guard binary == nil, let output = self.outputs.first(where: { $0.name == OutputName.attention }) else {
            return []
        }
        let (rows, columns) = (output.shape[2], output.shape[3])
        let values = try outputs.read(OutputName.attention, count: output.count)
        return reasons.enumerated().map { index, name in
            let start = index * rows * columns
            return AttentionMap(
                reason: name, rows: rows, columns: columns, values: Array(values[start..<start + rows * columns]))
        }
    }
}

/// Returns the index of the largest number, the first of equals.
private func indexOfLargest(_ numbers: [Float], leavingOut excluded: Int?) -> Int {
    let indices = numbers.indices.filter { $0 != excluded }
    return indices.dropFirst().reduce(indices[0]) { numbers[$1] > numbers[$0] ? $1 : $0 }
}

/// Sorts reasons; those that are equally bad keep the spec's order.
private func sortWorstFirst(_ found: [(Reason, badness: Double)]) -> [Reason] {
    found.enumerated()
        .sorted { ($1.element.badness, $0.offset) < ($0.element.badness, $1.offset) }
        .map(\.element.0)
}
