#if canImport(ImageIO)
    import CoreGraphics
    import Foundation
    import ImageIO

    /// Decodes photos with the system's own decoders: JPEG, HEIC, PNG and what else it knows.
    ///
    /// Of several pictures in a file the primary one counts. Apple's JPEG decoder is not libjpeg-turbo, so single samples
    /// may differ from Python's by a level or two; from the decoded samples on, every byte is the same.
    public struct ImageIODecoder: PhotoDecoder {
        /// Pixels from which on other files than JPEGs are decoded at a reduced scale too, to stay in memory.
        static let reducedFrom = 24_000_000

        /// Makes a decoder.
        public init() {}

        public func decode(_ file: Data, keeping least: (width: Int, height: Int)) throws -> DecodedPhoto {
            let lazily = [kCGImageSourceShouldCache: false] as CFDictionary
            guard let source = CGImageSourceCreateWithData(file as CFData, lazily), CGImageSourceGetCount(source) > 0
            else {
                throw ImageQXError.unreadablePhoto(got: "\(file.count) bytes of no known image format")
            }
            let index = CGImageSourceGetPrimaryImageIndex(source)
            guard CGImageSourceGetStatusAtIndex(source, index) == .statusComplete else {
                throw ImageQXError.unreadablePhoto(got: "a file that is cut off")
            }
            let properties = CGImageSourceCopyPropertiesAtIndex(source, index, nil) as? [CFString: Any] ?? [:]
            let width = properties[kCGImagePropertyPixelWidth] as? Int ?? 0
            let height = properties[kCGImagePropertyPixelHeight] as? Int ?? 0
            try Preprocessor.check(width: width, height: height)
            let orientation = Orientation(exif: properties[kCGImagePropertyOrientation] as? Int)
            let isJPEG = CGImageSourceGetType(source) as String? == "public.jpeg"
            let divisor =
                isJPEG || width * height > Self.reducedFrom
                ? ReducedDecoding.divisor(
                    width: width, height: height, keeping: least, orientation: orientation,
                    unevenColour: isJPEG && JPEGHeader.hasUnevenColour(file)) : 1
            let options = [kCGImageSourceShouldCache: false, kCGImageSourceSubsampleFactor: divisor] as CFDictionary
            guard let image = CGImageSourceCreateImageAtIndex(source, index, options) else {
                throw ImageQXError.unreadablePhoto(got: "a damaged file")
            }
            // A format that knows no reduced scale is decoded in full.
            let reduced = image.width == (width + divisor - 1) / divisor
            let share = reduced ? Double(divisor) : 1
            return DecodedPhoto(
                picture: try draw(image), orientation: orientation,
                covered: (Double(width) / share, Double(height) / share))
        }

        /// Draws an image over white, in sRGB.
        private func draw(_ image: CGImage) throws -> RGBPicture {
            let (width, height) = (image.width, image.height)
            guard
                let space = CGColorSpace(name: CGColorSpace.sRGB),
                let context = CGContext(
                    data: nil, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 0, space: space,
                    bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
            else {
                throw ImageQXError.outOfMemory(bytes: width * height * 4)
            }
            let frame = CGRect(x: 0, y: 0, width: width, height: height)
            context.interpolationQuality = .none
            context.setFillColor(red: 1, green: 1, blue: 1, alpha: 1)
            context.fill(frame)
            context.draw(image, in: frame)
            guard let base = context.data else { throw ImageQXError.outOfMemory(bytes: width * height * 4) }
            let stride = context.bytesPerRow
            let bytes = base.assumingMemoryBound(to: UInt8.self)
            return RGBPicture(fourByteRows: bytes, width: width, height: height, stride: stride, redFirst: true)
        }
    }
#endif
