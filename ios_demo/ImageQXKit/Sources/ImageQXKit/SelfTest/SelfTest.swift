import Foundation

/// The golden self-test, `golden/self_test.json`: what an app asks a phone's accelerator before it trusts it.
///
/// See docs/self-test.md of imageqx-export.
public struct SelfTest: Decodable, Equatable, Sendable {
    /// Names of the pictures, beside the file; of the model's size already.
    public let pictures: [String]
    /// Per precision, what to compare with.
    public let expectations: [String: Expectation]

    /// What files of one precision should give.
    public struct Expectation: Decodable, Equatable, Sendable {
        /// The file with PyTorch's outputs, beside the self-test's.
        public let outputs: String
        /// How far an accelerator may be from them.
        public let tolerance: Tolerance
    }

    /// The most that an accelerator may differ from PyTorch.
    public struct Tolerance: Decodable, Equatable, Sendable {
        /// Largest |Δ| of any number of any output.
        public let maxAbs: Double
        /// Share of decisions that must be the same, in [0, 1].
        public let agreement: Double
        /// A decision may differ where PyTorch was within this of deciding otherwise.
        public let margin: Double

        private enum CodingKeys: String, CodingKey {
            case agreement, margin
            case maxAbs = "max_abs"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case schemaVersion = "schema_version"
        case pictures, expectations
    }

    /// Reads a self-test; one of another version is refused.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let version = try fields.decodeIfPresent(Int.self, forKey: .schemaVersion) ?? 1
        guard version == 1 else { throw ImageQXError.unknownSchema(file: "self_test.json", version: String(version)) }
        pictures = try fields.decode([String].self, forKey: .pictures)
        expectations = try fields.decode([String: Expectation].self, forKey: .expectations)
    }

    /// Reads the self-test of a folder `golden/`.
    public init(folder: URL) throws {
        let data = try readFile(folder.appendingPathComponent("self_test.json"))
        self = try readJSON(Self.self, from: data, named: "self_test.json")
    }

    /// Runs the self-test of one model.
    ///
    /// - Parameters:
    ///   - model: The model, on the compute units in question.
    ///   - precision: Its precision.
    ///   - folder: The folder `golden/`.
    ///   - decoder: Decodes the pictures.
    /// - Returns: Whether the phone computes the model right, and what was seen.
    /// - Throws: ``ImageQXError`` if there is nothing to compare with; a model that fails is an answer, not an error.
    public func ask(
        _ model: any QualityModel, _ precision: Precision, folder: URL, decoder: any PhotoDecoder
    ) async throws -> SelfTestReport {
        guard let expectation = expectations[precision.rawValue] else {
            throw ImageQXError.noSuchArtifact(precision: precision.rawValue, available: expectations.keys.sorted())
        }
        let wanted = try GoldenOutputs(folder.appendingPathComponent(expectation.outputs), spec: model.spec)
        var rows = [(want: ModelOutputs, got: ModelOutputs)]()
        for picture in pictures {
            let file = try readFile(folder.appendingPathComponent(picture))
            let photo = try decoder.decode(
                file, keeping: (model.spec.preprocessing.width, model.spec.preprocessing.height))
            do {
                rows.append((try wanted.outputs(of: picture), try await model.run(photo.picture)))
            } catch ImageQXError.modelFailed(let why) {
                return SelfTestReport(maxAbs: .infinity, decisions: 0, differing: 0, problem: why)
            }
        }
        return try compare(rows, model.spec, expectation.tolerance)
    }
}

/// What a self-test saw.
public struct SelfTestReport: Equatable, Sendable {
    /// Largest |Δ| of any number of any output; infinite where something could not be compared.
    public let maxAbs: Double
    /// How many decisions were taken.
    public let decisions: Int
    /// How many differ, those within the margin left out.
    public let differing: Int
    /// Why the phone is not to be trusted with the model; nil: it computes it right.
    public let problem: String?

    /// Whether the phone computes the model right.
    public var passed: Bool { problem == nil }
}
