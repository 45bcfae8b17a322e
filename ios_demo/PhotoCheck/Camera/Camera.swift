import AVFoundation
import ImageQXKit

/// The camera: a preview, frames for live hints, and photos at full resolution.
///
/// Every property but `session` is touched on `queue` alone, which is why the class may call itself Sendable; AVFoundation
/// allows a session to be handed to a preview layer meanwhile.
final class Camera: NSObject, @unchecked Sendable {
    /// What the preview shows.
    let session = AVCaptureSession()

    private let queue = DispatchQueue(label: "org.imageqx.photocheck.camera")
    private let photos = AVCapturePhotoOutput()
    private let video = AVCaptureVideoDataOutput()
    private var ready = false
    private var throttle = FrameThrottle()
    private var frames: AsyncStream<DecodedPhoto>.Continuation?
    private var taking: CheckedContinuation<Data, any Error>?

    /// Asks for permission where nobody has been asked yet.
    ///
    /// - Throws: ``CameraError/refused``.
    static func requireAccess() async throws {
        let permission: CameraPermission =
            switch AVCaptureDevice.authorizationStatus(for: .video) {
            case .authorized: .granted
            case .notDetermined: .unasked
            default: .refused
            }
        try await permission.require { await AVCaptureDevice.requestAccess(for: .video) }
    }

    /// Starts the camera.
    ///
    /// - Returns: Frames for live hints; call ``finishFrame(took:)`` after each, or no other comes.
    /// - Throws: ``CameraError``.
    func start() async throws -> AsyncStream<DecodedPhoto> {
        let (stream, continuation) = AsyncStream.makeStream(of: DecodedPhoto.self, bufferingPolicy: .bufferingNewest(1))
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            queue.async {
                done.resume(
                    with: Result {
                        try self.prepare()
                        self.frames?.finish()
                        self.frames = continuation
                        self.throttle = FrameThrottle()
                        self.session.startRunning()
                    })
            }
        }
        return stream
    }

    /// Stops the camera.
    func stop() {
        queue.async {
            self.frames?.finish()
            self.frames = nil
            self.session.stopRunning()
            self.taking?.resume(throwing: CancellationError())
            self.taking = nil
        }
    }

    /// Lets the next frame come.
    ///
    /// - Parameter took: Seconds that assessing the last one took.
    func finishFrame(took: Double) {
        queue.async { self.throttle.finish(at: Self.now, took: took, heat: Phone.heat) }
    }

    /// Takes a photo at full resolution.
    ///
    /// - Returns: The bytes of its file.
    /// - Throws: ``CameraError/failed``, or `CancellationError` if the camera was stopped.
    func takePhoto() async throws -> Data {
        try await withCheckedThrowingContinuation { continuation in
            queue.async {
                guard self.ready, self.taking == nil else { return continuation.resume(throwing: CameraError.failed) }
                self.taking = continuation
                self.photos.capturePhoto(with: AVCapturePhotoSettings(), delegate: self)
            }
        }
    }

    private static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

    private func prepare() throws {
        guard !ready else { return }
        guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .back) else {
            throw CameraError.missing
        }
        guard let input = try? AVCaptureDeviceInput(device: device) else { throw CameraError.failed }
        session.beginConfiguration()
        defer { session.commitConfiguration() }
        session.sessionPreset = .photo
        guard session.canAddInput(input), session.canAddOutput(photos), session.canAddOutput(video) else {
            throw CameraError.failed
        }
        session.addInput(input)
        session.addOutput(photos)
        session.addOutput(video)
        video.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
        video.alwaysDiscardsLateVideoFrames = true
        video.setSampleBufferDelegate(self, queue: queue)
        // The app stands upright, and so do its pictures.
        for output in [photos, video] {
            guard let connection = output.connection(with: .video) else { continue }
            if connection.isVideoRotationAngleSupported(90) { connection.videoRotationAngle = 90 }
        }
        ready = true
    }
}

extension Camera: AVCaptureVideoDataOutputSampleBufferDelegate {
    func captureOutput(
        _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer, from connection: AVCaptureConnection
    ) {
        guard let frames, let frame = CMSampleBufferGetImageBuffer(sampleBuffer), throttle.admit(at: Self.now) else {
            return
        }
        guard let photo = try? DecodedPhoto(frame: frame, orientation: .up) else {
            throttle.finish(at: Self.now, took: 0, heat: .serious)
            return
        }
        frames.yield(photo)
    }
}

extension Camera: AVCapturePhotoCaptureDelegate {
    func photoOutput(
        _ output: AVCapturePhotoOutput, didFinishProcessingPhoto photo: AVCapturePhoto, error: (any Error)?
    ) {
        let file = error == nil ? photo.fileDataRepresentation() : nil
        queue.async {
            self.taking?.resume(with: file.map { .success($0) } ?? .failure(CameraError.failed))
            self.taking = nil
        }
    }
}
