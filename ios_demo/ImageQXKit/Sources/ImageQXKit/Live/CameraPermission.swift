/// Why there is no picture of the camera.
public enum CameraError: Error, Equatable, Sendable {
    /// The phone has none.
    case missing
    /// This app may not use it.
    case refused
    /// It does not start, or stopped.
    case failed
}

/// Whether an app may use the camera, as the system says it.
public enum CameraPermission: Sendable {
    case granted
    case unasked
    case refused

    /// Returns where the camera may be used, once a person who has not been asked yet has been.
    ///
    /// - Parameter ask: Asks the person; tells whether they agree.
    /// - Throws: ``CameraError/refused``.
    public func require(asking ask: @Sendable () async -> Bool) async throws {
        switch self {
        case .granted: return
        case .unasked: guard await ask() else { throw CameraError.refused }
        case .refused: throw CameraError.refused
        }
    }
}
