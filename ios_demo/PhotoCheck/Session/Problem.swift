import ImageQXKit

/// What went wrong, as the person is told; each has its words under `problem_…` in the string catalogue.
enum Problem: String, CaseIterable, Sendable {
    case photo
    case size
    case memory
    case modelMissing = "model_missing"
    case modelDamaged = "model_damaged"
    case modelNewer = "model_newer"
    case modelFailed = "model_failed"
    case camera

    /// Chooses the words for an error.
    init(_ error: any Error) {
        guard let known = error as? ImageQXError else {
            self = error is CameraError ? .camera : .modelFailed
            return
        }
        self =
            switch known {
            case .unreadablePhoto: .photo
            case .unusableSize: .size
            case .outOfMemory: .memory
            case .missingFile, .noSuchArtifact: .modelMissing
            case .damagedFile, .wrongDigest, .unusableSpec: .modelDamaged
            case .unknownSchema, .systemTooOld: .modelNewer
            case .unusableOutput, .modelFailed: .modelFailed
            }
    }
}
