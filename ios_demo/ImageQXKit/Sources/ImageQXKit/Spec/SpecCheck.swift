import Foundation

/// The names that the first kind of answer is read from; the second kind names its own.
enum OutputName {
    static let quality = "quality"
    static let explanations = "explanations"
    static let attention = "attention"
    static let poor = "poor_quality"
}

extension ModelSpec {
    /// Refuses a spec from which no photo could be assessed.
    func check() throws {
        let size = [1, preprocessing.height, preprocessing.width, 3]
        try require(
            (1...4096).contains(preprocessing.height) && (1...4096).contains(preprocessing.width),
            "preprocessing asks for \(preprocessing.width) × \(preprocessing.height)")
        try require(
            inputs.count == 1 && inputs[0].shape == size && inputs[0].dtype == "uint8",
            "the input is not one of uint8 \(size)")
        try require(Set(outputs.map(\.name)).count == outputs.count, "an output is named twice")
        try require(labels.isEmpty == (binary != nil), "it must have either labels or a binary decision")
        if let binary { try check(binary) } else { try checkLabels() }
    }

    /// Finds an output, and refuses one of another shape.
    private func find(_ name: String, shape: [Int]) throws {
        guard let output = outputs.first(where: { $0.name == name }) else {
            throw ImageQXError.unusableSpec(why: "no output \(name)")
        }
        try require(output.shape == shape, "the output \(name) is \(output.shape), expected \(shape)")
    }

    private func checkLabels() throws {
        try require(labels.contains(OutputName.poor) && labels.count > 1, "labels lack \(OutputName.poor) or another")
        try require(!reasons.isEmpty, "there are no reasons")
        try require(Set(labels).count == labels.count && Set(reasons).count == reasons.count, "a name comes twice")
        try require(Set(thresholds.keys) == Set(reasons), "thresholds must name each reason")
        try require(Set(hints.keys) == Set(reasons), "hints must name each reason")
        let probabilities = Array(thresholds.values) + [poorQualityThreshold].compactMap { $0 }
        try require(probabilities.allSatisfy((0...1).contains), "a threshold is not in [0, 1]")
        try find(OutputName.quality, shape: [1, labels.count])
        try find(OutputName.explanations, shape: [1, reasons.count])
        guard let attention = outputs.first(where: { $0.name == OutputName.attention }) else { return }
        try require(
            attention.shape.count == 4 && attention.shape[1] == reasons.count && attention.count > 0,
            "the output attention is \(attention.shape), expected [1, \(reasons.count), rows, columns]")
    }

    private func check(_ binary: BinaryDecision) throws {
        try require(reasons.isEmpty && poorQualityThreshold == nil, "reasons belong to labels")
        try require((0...1).contains(binary.threshold), "the threshold is not in [0, 1]")
        try find(binary.output, shape: [1, 1])
        if let ranks = binary.ranks {
            try require(
                ranks.raters >= 1 && (1...ranks.raters).contains(ranks.goodWhenAtLeast),
                "good_when_at_least of the ranks")
            try find(ranks.output, shape: [1, ranks.raters])
        }
        guard let regions = binary.regions else { return }
        try require((0...1).contains(regions.threshold), "the regions' threshold is not in [0, 1]")
        try require(!regions.parts.isEmpty, "there are no regions")
        try require(Set(regions.parts.map(\.name)).count == regions.parts.count, "a region is named twice")
        for part in regions.parts {
            let inside =
                part.left >= 0 && part.top >= 0 && part.width > 0 && part.height > 0
                && part.left + part.width <= 1 + 1e-9 && part.top + part.height <= 1 + 1e-9
            try require(inside, "the region \(part.name) leaves the frame")
        }
        try find(regions.output, shape: [1, regions.parts.count])
    }
}

private func require(_ holds: Bool, _ why: String) throws {
    guard holds else { throw ImageQXError.unusableSpec(why: why) }
}

/// Decodes JSON, and says in one kind of error what is wrong with it.
func readJSON<Value: Decodable>(_ type: Value.Type, from data: Data, named name: String) throws -> Value {
    do {
        return try JSONDecoder().decode(type, from: data)
    } catch let error as ImageQXError {
        throw error
    } catch let error as DecodingError {
        throw ImageQXError.damagedFile(name, why: describe(error))
    } catch {
        throw ImageQXError.damagedFile(name, why: "\(error)")
    }
}

private func describe(_ error: DecodingError) -> String {
    func place(_ context: DecodingError.Context) -> String {
        context.codingPath.map(\.stringValue).joined(separator: ".")
    }
    return switch error {
    case .keyNotFound(let key, let context): "no \(key.stringValue) in \(place(context))"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
        "\(place(context)): \(context.debugDescription)"
    case .dataCorrupted(let context): "not valid JSON \(place(context)): \(context.debugDescription)"
    @unknown default: "\(error)"
    }
}
