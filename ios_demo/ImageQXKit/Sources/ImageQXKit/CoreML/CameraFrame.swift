#if canImport(CoreVideo)
    import CoreVideo

    extension DecodedPhoto {
        /// Copies a camera's frame.
        ///
        /// - Parameters:
        ///   - frame: Of the format `kCVPixelFormatType_32BGRA`.
        ///   - orientation: How the phone is held.
        /// - Throws: ``ImageQXError/unreadablePhoto(got:)`` for a frame of another format.
        public init(frame: CVPixelBuffer, orientation: Orientation) throws {
            guard CVPixelBufferGetPixelFormatType(frame) == kCVPixelFormatType_32BGRA else {
                throw ImageQXError.unreadablePhoto(got: "a frame that is not 32BGRA")
            }
            CVPixelBufferLockBaseAddress(frame, .readOnly)
            defer { CVPixelBufferUnlockBaseAddress(frame, .readOnly) }
            guard let base = CVPixelBufferGetBaseAddress(frame) else {
                throw ImageQXError.unreadablePhoto(got: "a frame without memory")
            }
            let picture = RGBPicture(
                fourByteRows: base.assumingMemoryBound(to: UInt8.self), width: CVPixelBufferGetWidth(frame),
                height: CVPixelBufferGetHeight(frame), stride: CVPixelBufferGetBytesPerRow(frame), redFirst: false)
            self.init(picture: picture, orientation: orientation)
        }
    }
#endif
