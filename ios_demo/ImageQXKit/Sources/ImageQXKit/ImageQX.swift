import Foundation

/// A model that assesses pixels; ``CoreMLModel`` on Apple's systems, and a stand-in in tests.
public protocol QualityModel: Sendable {
    /// What its inputs and outputs mean.
    var spec: ModelSpec { get }
    /// Runs the model.
    ///
    /// - Parameter pixels: Of the spec's height and width.
    /// - Throws: ``ImageQXError/modelFailed(why:)``.
    func run(_ pixels: RGBPicture) async throws -> ModelOutputs
}

/// Assesses photos of skin: is this one good enough, and if not, what should the person do differently.
///
/// ```swift
/// let assessment = try await ImageQX(model).assess(photo)
/// ```
///
/// An actor, so that photos are assessed one after the other and no two of them are in memory at once. Nothing leaves
/// the device. This is not a medical device.
public actor ImageQX {
    /// What the model's outputs mean, with the clinic's own thresholds where there are any.
    public nonisolated let spec: ModelSpec
    private let model: any QualityModel
    private let preprocessor: Preprocessor

    /// Makes one of a model that is loaded already.
    ///
    /// - Parameters:
    ///   - model: The model.
    ///   - decoder: Decodes the photos' files.
    ///   - thresholds: A clinic's own, or nil.
    /// - Throws: ``ImageQXError/unusableSpec(why:)`` if the thresholds do not fit the model.
    public init(
        model: any QualityModel, decoder: any PhotoDecoder, thresholds: ClinicThresholds? = nil
    ) throws {
        self.model = model
        spec = try thresholds.map(model.spec.applying) ?? model.spec
        preprocessor = Preprocessor(model.spec.preprocessing, decoder: decoder)
    }

    /// Assesses a photo.
    ///
    /// - Parameter photo: The bytes of its file, such as JPEG, HEIC or PNG; EXIF's orientation counts.
    /// - Throws: ``ImageQXError``, or `CancellationError` if the task was cancelled meanwhile.
    public func assess(_ photo: Data) async throws -> Assessment {
        let begin = ContinuousClock.now
        let pixels = try preprocessor.pixels(of: photo)
        return try await assess(pixels, preparedIn: begin.duration(to: .now))
    }

    /// Assesses a decoded photo, such as a frame of the camera.
    ///
    /// - Throws: ``ImageQXError``, or `CancellationError` if the task was cancelled meanwhile.
    public func assess(_ photo: DecodedPhoto) async throws -> Assessment {
        try Task.checkCancellation()
        let begin = ContinuousClock.now
        let pixels = preprocessor.pixels(of: photo)
        return try await assess(pixels, preparedIn: begin.duration(to: .now))
    }

    private func assess(_ pixels: RGBPicture, preparedIn preparation: Duration) async throws -> Assessment {
        try Task.checkCancellation()
        let begin = ContinuousClock.now
        let outputs = try await model.run(pixels)
        let inference = begin.duration(to: .now)
        try Task.checkCancellation()
        return Assessment(
            verdict: try spec.assess(outputs),
            attention: try spec.attentionMaps(outputs),
            outputs: outputs,
            pixels: pixels,
            preprocessingSeconds: preparation.seconds,
            inferenceSeconds: inference.seconds)
    }
}

extension Duration {
    /// The duration in seconds.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
