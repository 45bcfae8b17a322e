import Foundation

/// A picture in memory: 8-bit sRGB, red first, row by row, without gaps.
public struct RGBPicture: Equatable, Sendable {
    /// Its width in pixels.
    public let width: Int
    /// Its height in pixels.
    public let height: Int
    /// Its samples: `height * width * 3`.
    public let samples: [UInt8]

    /// Makes a picture of samples.
    ///
    /// - Precondition: `samples` has `height * width * 3` of them.
    public init(width: Int, height: Int, samples: [UInt8]) {
        precondition(width > 0 && height > 0 && samples.count == width * height * 3, "samples do not fit the size")
        (self.width, self.height, self.samples) = (width, height, samples)
    }
}

/// A photo as a decoder gives it: as it is stored, not turned yet.
public struct DecodedPhoto: Sendable {
    /// The pixels, perhaps at a reduced scale.
    public let picture: RGBPicture
    /// How the camera was held.
    public let orientation: Orientation
    /// The width of the photo itself in the picture's pixels: 1003 pixels at 1/2 are 501.5 of 502.
    public let coveredWidth: Double
    /// The height of the photo itself in the picture's pixels.
    public let coveredHeight: Double

    /// Makes a decoded photo.
    ///
    /// - Parameters:
    ///   - picture: The pixels.
    ///   - orientation: How the camera was held.
    ///   - covered: The photo's own width and height in the picture's pixels; nil: all of it.
    public init(picture: RGBPicture, orientation: Orientation = .up, covered: (width: Double, height: Double)? = nil) {
        self.picture = picture
        self.orientation = orientation
        coveredWidth = covered?.width ?? Double(picture.width)
        coveredHeight = covered?.height ?? Double(picture.height)
    }
}

/// A way to decode a photo's file; ``ImageIODecoder`` on Apple's systems.
public protocol PhotoDecoder: Sendable {
    /// Decodes a photo: sRGB, alpha over white, not turned.
    ///
    /// - Parameters:
    ///   - file: The file's bytes.
    ///   - least: Fewest pixels of the upright photo's sides where the file can be decoded at a reduced scale.
    /// - Throws: ``ImageQXError/unreadablePhoto(got:)``, ``ImageQXError/unusableSize(width:height:)`` or
    ///   ``ImageQXError/outOfMemory(bytes:)``.
    func decode(_ file: Data, keeping least: (width: Int, height: Int)) throws -> DecodedPhoto
}

extension RGBPicture {
    /// Copies rows of four bytes a pixel, of which the last is left out.
    ///
    /// - Parameters:
    ///   - bytes: The first row.
    ///   - width: Pixels of a row.
    ///   - height: Rows.
    ///   - stride: Bytes from one row to the next.
    ///   - redFirst: Whether red comes first, or blue.
    init(fourByteRows bytes: UnsafePointer<UInt8>, width: Int, height: Int, stride: Int, redFirst: Bool) {
        let (red, blue) = redFirst ? (0, 2) : (2, 0)
        let samples = [UInt8](unsafeUninitializedCapacity: width * height * 3) { target, count in
            for row in 0..<height {
                var (from, to) = (bytes + row * stride, target.baseAddress! + row * width * 3)
                for _ in 0..<width {
                    to[0] = from[red]
                    to[1] = from[1]
                    to[2] = from[blue]
                    (from, to) = (from + 4, to + 3)
                }
            }
            count = width * height * 3
        }
        self.init(width: width, height: height, samples: samples)
    }
}
