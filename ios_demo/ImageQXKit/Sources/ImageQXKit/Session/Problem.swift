/// What went wrong, as a person is told it: an app has words of its own for each.
public enum Problem: String, CaseIterable, Sendable {
    case photo
    case size
    case memory
    case modelMissing = "model_missing"
    case modelDamaged = "model_damaged"
    case modelNewer = "model_newer"
    case modelFailed = "model_failed"
    case camera

    /// Chooses the words for an error.
    public init(_ error: any Error) {
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
