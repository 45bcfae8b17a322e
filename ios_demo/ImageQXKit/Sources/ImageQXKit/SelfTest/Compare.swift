import Foundation

/// Compares what a phone gave with what PyTorch gave; the same rule as `imageqx_export/parity/compare.py`.
///
/// - Parameters:
///   - rows: Per picture, PyTorch's outputs and the phone's.
///   - spec: Names, sizes and thresholds.
///   - tolerance: How far they may be apart.
/// - Throws: ``ImageQXError`` if PyTorch's outputs are not of the spec.
public func compare(
    _ rows: [(want: ModelOutputs, got: ModelOutputs)], _ spec: ModelSpec, _ tolerance: SelfTest.Tolerance
) throws -> SelfTestReport {
    var largest = 0.0
    var decisions = [Decision]()
    for row in rows {
        for output in spec.outputs {
            let want = try row.want.read(output.name, count: output.count)
            let got: [Float]
            do {
                got = try row.got.read(output.name, count: output.count)
            } catch let error as ImageQXError {
                return SelfTestReport(maxAbs: .infinity, decisions: 0, differing: 0, problem: error.errorDescription)
            }
            for (one, other) in zip(want, got) { largest = max(largest, abs(Double(one) - Double(other))) }
            decisions += spec.compareDecisions(output.name, want, got)
        }
    }
    let differing = decisions.filter { $0.differs && Double($0.margin) >= tolerance.margin }.count
    var problems = [String]()
    if rows.isEmpty { problems.append("there are no pictures") }
    if !(largest <= tolerance.maxAbs) { problems.append("max |Δ| \(largest) > \(tolerance.maxAbs)") }
    // Per output in Python, and an output's decisions are all of one kind: the strictest share counts.
    for (kind, all) in Dictionary(grouping: decisions, by: \.output).sorted(by: { $0.key < $1.key }) {
        let wrong = all.filter { $0.differs && Double($0.margin) >= tolerance.margin }.count
        if Double(all.count - wrong) / Double(all.count) < tolerance.agreement {
            problems.append("\(wrong) of \(all.count) decisions on \(kind) differ")
        }
    }
    return SelfTestReport(
        maxAbs: largest, decisions: decisions.count, differing: differing,
        problem: problems.isEmpty ? nil : problems.joined(separator: "; "))
}

/// One decision of both: whether they differ, and how near PyTorch was to deciding otherwise.
private struct Decision {
    let output: String
    let differs: Bool
    let margin: Float
}

extension ModelSpec {
    fileprivate func compareDecisions(_ output: String, _ want: [Float], _ got: [Float]) -> [Decision] {
        func cross(_ threshold: Double) -> [Decision] {
            zip(want, got).map { one, other in
                let limit = Float(threshold)
                return Decision(output: output, differs: (one >= limit) != (other >= limit), margin: abs(one - limit))
            }
        }
        if let binary {
            if output == binary.output { return cross(binary.threshold) }
            if let regions = binary.regions, output == regions.output { return cross(regions.threshold) }
            return []
        }
        switch output {
        case OutputName.quality:
            let differs = decide(want) != decide(got)
            return [Decision(output: output, differs: differs, margin: measureMargin(want, got))]
        case OutputName.explanations:
            return zip(reasons, zip(want, got)).map { name, pair in
                let limit = Float(thresholds[name] ?? 1)
                return Decision(
                    output: output, differs: (pair.0 >= limit) != (pair.1 >= limit), margin: abs(pair.0 - limit))
            }
        default: return []
        }
    }

    /// Returns how near PyTorch was to deciding otherwise, in the step in which the phone may differ from it.
    private func measureMargin(_ want: [Float], _ got: [Float]) -> Float {
        let poor = labels.firstIndex(of: OutputName.poor) ?? 0
        if let threshold = poorQualityThreshold, (decide(want) == poor) != (decide(got) == poor) {
            return abs(want[poor] - Float(threshold))
        }
        let others = want.enumerated().filter { poorQualityThreshold == nil || $0.offset != poor }.map(\.element)
        let ranked = others.sorted(by: >)
        return ranked.count > 1 ? ranked[0] - ranked[1] : 1
    }
}
