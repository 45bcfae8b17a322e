import Foundation

/// The list of what one export wrote, `manifest.json`.
public struct Manifest: Decodable, Equatable, Sendable {
    /// The file's name.
    public static let fileName = "manifest.json"

    /// The model's name.
    public let model: String
    /// The digest of the checkpoint, hexadecimal.
    public let checkpointSHA256: String
    /// One entry per file that was written.
    public let artifacts: [Artifact]

    private enum CodingKeys: String, CodingKey {
        case schemaVersion = "schema_version"
        case model, artifacts
        case checkpointSHA256 = "checkpoint_sha256"
    }

    /// Reads a manifest; a schema of another version is refused.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let version = try fields.decodeIfPresent(Int.self, forKey: .schemaVersion) ?? 1
        guard version == 1 else {
            throw ImageQXError.unknownSchema(file: Self.fileName, version: String(version))
        }
        model = try fields.decode(String.self, forKey: .model)
        checkpointSHA256 = try fields.decode(String.self, forKey: .checkpointSHA256)
        artifacts = try fields.decode([Artifact].self, forKey: .artifacts)
    }

    /// Reads the manifest of a folder.
    public init(folder: URL) throws {
        let data = try readFile(folder.appendingPathComponent(Self.fileName))
        self = try readJSON(Self.self, from: data, named: Self.fileName)
    }

    /// Returns the Core ML model of a precision.
    ///
    /// - Throws: ``ImageQXError/noSuchArtifact(precision:available:)``.
    public func coreML(_ precision: Precision) throws -> Artifact {
        let models = artifacts.filter { $0.format == "coreml" }
        guard let found = models.first(where: { $0.precision == precision.rawValue }) else {
            throw ImageQXError.noSuchArtifact(precision: precision.rawValue, available: models.map(\.precision))
        }
        return found
    }
}

/// A numeric scheme, named by what it truly is.
public enum Precision: String, CaseIterable, Codable, Sendable {
    case fp32, fp16
    /// Weights int8, activations float16.
    case w8
    /// Weights and activations int8; needs iOS 17.
    case w8a8
}

/// One exported file, and what it is.
public struct Artifact: Decodable, Equatable, Sendable {
    /// Relative to the manifest's folder; a folder for Core ML.
    public let path: String
    /// `onnx`, `coreml` or `tflite`.
    public let format: String
    /// See ``Precision``.
    public let precision: String
    /// What its inputs and outputs mean.
    public let spec: ModelSpec
    /// Its digest, hexadecimal; of a folder, see ``digest(of:)``.
    public let sha256: String
    /// Bytes of all its files.
    public let sizeBytes: Int

    private enum CodingKeys: String, CodingKey {
        case path, format, precision, spec, sha256
        case sizeBytes = "size_bytes"
    }

    /// Refuses a file or folder that is not the one that the manifest lists.
    ///
    /// - Parameter folder: The manifest's.
    /// - Returns: Where the artifact is.
    /// - Throws: ``ImageQXError/missingFile(_:)``, ``ImageQXError/wrongDigest(file:expected:got:)``, or
    ///   ``ImageQXError/damagedFile(_:why:)`` for a path that leaves the folder.
    public func verified(in folder: URL) throws -> URL {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !path.isEmpty, !parts.contains(".."), !parts.contains(""), !path.contains("\\") else {
            throw ImageQXError.damagedFile(Manifest.fileName, why: "a path that leaves the folder: \(path)")
        }
        let place = folder.appendingPathComponent(path)
        let got = try digest(of: place)
        guard got == sha256 else { throw ImageQXError.wrongDigest(file: path, expected: sha256, got: got) }
        return place
    }
}
