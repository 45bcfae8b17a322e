import Foundation

/// What can go wrong, as an app has to tell it apart: each case has its own message and its own next step.
///
/// Cancelling an assessment throws `CancellationError`, as everywhere in Swift.
public enum ImageQXError: Error, Equatable, Sendable {
    /// The photo's file is empty, cut off, or of no format that this system decodes.
    case unreadablePhoto(got: String)
    /// The photo has more than ``Preprocessor/pixelLimit`` pixels, or none.
    case unusableSize(width: Int, height: Int)
    /// There was no memory for the photo.
    case outOfMemory(bytes: Int)
    /// A file of the model is not where it should be.
    case missingFile(String)
    /// A file is there and is not what it should be: cut off, or no valid JSON.
    case damagedFile(String, why: String)
    /// A file has another digest than the manifest says: it is cut off, or another model's.
    case wrongDigest(file: String, expected: String, got: String)
    /// A file was written by a newer version of imageqx-export than this kit knows.
    case unknownSchema(file: String, version: String)
    /// The model is for a newer system than the phone's, by its own word.
    case systemTooOld(expected: String, got: String)
    /// The model's spec is valid JSON, and contradicts itself or this kit.
    case unusableSpec(why: String)
    /// The model gave no such output, or one of another size, or one that is not finite.
    case unusableOutput(name: String, why: String)
    /// The manifest has no such model.
    case noSuchArtifact(precision: String, available: [String])
    /// Core ML cannot load or run the model.
    case modelFailed(why: String)
}

extension ImageQXError {
    /// A short, stable name of the kind of error, by which an app finds its own words in the user's language.
    public var code: String {
        switch self {
        case .unreadablePhoto: "unreadable_photo"
        case .unusableSize: "unusable_size"
        case .outOfMemory: "out_of_memory"
        case .missingFile: "missing_file"
        case .damagedFile: "damaged_file"
        case .wrongDigest: "wrong_digest"
        case .unknownSchema: "unknown_schema"
        case .systemTooOld: "system_too_old"
        case .unusableSpec: "unusable_spec"
        case .unusableOutput: "unusable_output"
        case .noSuchArtifact: "no_such_artifact"
        case .modelFailed: "model_failed"
        }
    }
}

extension ImageQXError: LocalizedError {
    /// What happened, for a developer and a log, in English.
    public var errorDescription: String? {
        switch self {
        case .unreadablePhoto(let got):
            "the photo cannot be decoded: expected a whole image file, got \(got)"
        case .unusableSize(let width, let height):
            "the photo is \(width) × \(height): expected 1 to \(Preprocessor.pixelLimit) pixels"
        case .outOfMemory(let bytes):
            "no memory for \(bytes) bytes of the photo"
        case .missingFile(let file):
            "no such file: \(file)"
        case .damagedFile(let file, let why):
            "\(file) is damaged: \(why)"
        case .wrongDigest(let file, let expected, let got):
            "\(file) is not the one that was exported: expected SHA-256 \(expected), got \(got)"
        case .unknownSchema(let file, let version):
            "\(file) has schema_version \(version), which this version of ImageQXKit does not know"
        case .systemTooOld(let expected, let got):
            "the system is too old for the model: expected \(expected), got \(got)"
        case .unusableSpec(let why):
            "the model's spec cannot be used: \(why)"
        case .unusableOutput(let name, let why):
            "the model's output \(name) cannot be used: \(why)"
        case .noSuchArtifact(let precision, let available):
            "no Core ML model of precision \(precision): the manifest has \(available.joined(separator: ", "))"
        case .modelFailed(let why):
            "Core ML cannot run the model: \(why)"
        }
    }

    /// What a developer does next, in English.
    public var recoverySuggestion: String? {
        switch self {
        case .unreadablePhoto, .unusableSize, .outOfMemory: "take another photo"
        case .missingFile, .damagedFile, .wrongDigest: "run ios_demo/take_model.py again"
        case .systemTooOld: "update the phone, or ship a model of another precision"
        case .unknownSchema: "update the app, or take a model of the version that it knows"
        case .unusableSpec, .unusableOutput, .noSuchArtifact, .modelFailed:
            "imageqx export, then ios_demo/take_model.py"
        }
    }
}
