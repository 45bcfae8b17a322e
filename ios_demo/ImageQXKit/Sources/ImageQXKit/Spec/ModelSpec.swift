import Foundation

/// What a photo becomes and what an output means: the one place that says it.
///
/// Every exported model carries its own, and the kit reads sizes, labels, thresholds and hints from there and has none
/// of them in its code. A spec has one of two kinds of answer: ``labels`` with ``reasons``, or ``binary``.
public struct ModelSpec: Codable, Equatable, Sendable {
    /// The versions of the spec that this kit reads; a spec of version 1 says nothing about it.
    public static let knownVersions = [1, 2]

    /// The model's name, such as `imageqx`.
    public let name: String
    /// The graph's inputs.
    public let inputs: [TensorSpec]
    /// The graph's outputs, in the graph's order.
    public let outputs: [TensorSpec]
    /// How a photo becomes the input.
    public let preprocessing: Preprocessing
    /// The names of the output `quality`'s columns; empty where the answer is ``binary``.
    public let labels: [String]
    /// The names of the output `explanations`' columns.
    public let reasons: [String]
    /// Per reason, the probability from which it counts as given, in [0, 1].
    public internal(set) var thresholds: [String: Double]
    /// The probability of `poor_quality` from which a photo is poor; nil: the most probable label holds.
    public internal(set) var poorQualityThreshold: Double?
    /// Per reason, what to tell the person who takes the photo, in English.
    public let hints: [String: String]
    /// The other kind of answer; nil where there are labels.
    public internal(set) var binary: BinaryDecision?
    /// Per runtime, such as `ios`, the oldest version on which the file is right, nil where none is; see
    /// ``checkSystem(_:)``. Empty in a spec of before it was written.
    public let minRuntime: [String: String?]

    private enum CodingKeys: String, CodingKey {
        case schemaVersion = "schema_version"
        case name, inputs, outputs, preprocessing, labels, reasons, thresholds, hints, binary
        case poorQualityThreshold = "poor_quality_threshold"
        case minRuntime = "min_runtime"
    }

    /// Reads a spec and refuses one that contradicts itself.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let version = try fields.decodeIfPresent(Int.self, forKey: .schemaVersion) ?? 1
        guard Self.knownVersions.contains(version) else {
            throw ImageQXError.unknownSchema(file: "the model's spec", version: String(version))
        }
        name = try fields.decode(String.self, forKey: .name)
        inputs = try fields.decode([TensorSpec].self, forKey: .inputs)
        outputs = try fields.decode([TensorSpec].self, forKey: .outputs)
        preprocessing = try fields.decodeIfPresent(Preprocessing.self, forKey: .preprocessing) ?? Preprocessing()
        labels = try fields.decodeIfPresent([String].self, forKey: .labels) ?? []
        reasons = try fields.decodeIfPresent([String].self, forKey: .reasons) ?? []
        thresholds = try fields.decodeIfPresent([String: Double].self, forKey: .thresholds) ?? [:]
        poorQualityThreshold = try fields.decodeIfPresent(Double.self, forKey: .poorQualityThreshold)
        hints = try fields.decodeIfPresent([String: String].self, forKey: .hints) ?? [:]
        binary = try fields.decodeIfPresent(BinaryDecision.self, forKey: .binary)
        minRuntime = try fields.decodeIfPresent([String: String?].self, forKey: .minRuntime) ?? [:]
        try check()
    }

    /// Writes the spec as version 2.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(2, forKey: .schemaVersion)
        try fields.encode(name, forKey: .name)
        try fields.encode(inputs, forKey: .inputs)
        try fields.encode(outputs, forKey: .outputs)
        try fields.encode(preprocessing, forKey: .preprocessing)
        try fields.encode(labels, forKey: .labels)
        try fields.encode(reasons, forKey: .reasons)
        try fields.encode(thresholds, forKey: .thresholds)
        try fields.encode(poorQualityThreshold, forKey: .poorQualityThreshold)
        try fields.encode(hints, forKey: .hints)
        try fields.encode(binary, forKey: .binary)
        try fields.encode(minRuntime, forKey: .minRuntime)
    }

    /// Reads the spec that an artifact carries in its metadata under the key `spec`: JSON in a string.
    ///
    /// - Parameter metadata: The string, such as `MLModelDescription.metadata` holds it.
    /// - Throws: ``ImageQXError/damagedFile(_:why:)``, ``ImageQXError/unknownSchema(file:version:)`` or
    ///   ``ImageQXError/unusableSpec(why:)``.
    public init(metadata: String) throws {
        self = try readJSON(Self.self, from: Data(metadata.utf8), named: "the model's spec")
    }
}

/// An input or output of a graph.
public struct TensorSpec: Codable, Equatable, Sendable {
    /// The name that the graph uses.
    public let name: String
    /// Sizes; the batch is always 1.
    public let shape: [Int]
    /// `uint8` or `float32`.
    public let dtype: String
    /// What the numbers are, in a sentence.
    public let meaning: String?

    /// How many numbers it has.
    public var count: Int { shape.reduce(1, *) }
}

/// The way from a photo to the graph's input; see ``Preprocessor``, which carries it out.
public struct Preprocessing: Codable, Equatable, Sendable {
    /// The input's height in pixels.
    public let height: Int
    /// The input's width in pixels.
    public let width: Int
    /// Which of the resize's two passes, as the upright photo has them, comes first: each rounds to 8 bits.
    public let resizeOrder: ResizeOrder

    private let steps: [String: String]

    /// The order of the resize's two passes.
    public enum ResizeOrder: String, Codable, Sendable {
        /// Rows are resized first, then columns.
        case horizontalFirst = "horizontal-first"
    }

    /// What each of the other fields has to say, as this kit can do nothing else.
    static let onlyWay = [
        "layout": "NHWC", "color_space": "sRGB", "resize": "stretch", "resample": "bilinear-antialias",
        "orientation": "apply-exif", "alpha": "over-white", "normalisation": "in-graph",
    ]

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Returns the preprocessing of a network with an input of this size.
    public init(height: Int = 224, width: Int = 224) {
        (self.height, self.width, resizeOrder, steps) = (height, width, .horizontalFirst, Self.onlyWay)
    }

    /// Reads it, and refuses a step that this kit does not carry out.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: Key.self)
        height = try fields.decodeIfPresent(Int.self, forKey: Key(stringValue: "height")) ?? 224
        width = try fields.decodeIfPresent(Int.self, forKey: Key(stringValue: "width")) ?? 224
        let order = try fields.decodeIfPresent(String.self, forKey: Key(stringValue: "resize_order"))
        guard let known = ResizeOrder(rawValue: order ?? ResizeOrder.horizontalFirst.rawValue) else {
            throw ImageQXError.unusableSpec(why: "preprocessing.resize_order is \(order ?? ""), which is not known")
        }
        resizeOrder = known
        for (name, expected) in Self.onlyWay {
            let got = try fields.decodeIfPresent(String.self, forKey: Key(stringValue: name)) ?? expected
            guard got == expected else {
                throw ImageQXError.unusableSpec(why: "preprocessing.\(name) is \(got), expected \(expected)")
            }
        }
        steps = Self.onlyWay
    }

    /// Writes it.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: Key.self)
        try fields.encode(height, forKey: Key(stringValue: "height"))
        try fields.encode(width, forKey: Key(stringValue: "width"))
        try fields.encode(resizeOrder.rawValue, forKey: Key(stringValue: "resize_order"))
        for (name, value) in steps { try fields.encode(value, forKey: Key(stringValue: name)) }
    }
}
