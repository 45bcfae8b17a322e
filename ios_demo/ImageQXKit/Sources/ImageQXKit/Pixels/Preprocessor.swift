import Foundation

/// Photo → the model's pixels, exactly as `imageqx_export/preprocess.py` makes them.
///
/// In this order: decode, convert to sRGB, lay alpha over white (all by a ``PhotoDecoder``); turn upright; stretch the
/// whole frame to the model's size, along the rows first.
public struct Preprocessor: Sendable {
    /// Most pixels a photo may have: phones go up to 16320 × 12240. More is taken for a decompression bomb.
    public static let pixelLimit = 200_000_000

    /// What the model asks for.
    public let preprocessing: Preprocessing
    private let decoder: any PhotoDecoder

    /// Makes a preprocessor.
    ///
    /// - Parameters:
    ///   - preprocessing: Of the model's spec.
    ///   - decoder: Decodes the photos' files.
    public init(_ preprocessing: Preprocessing, decoder: any PhotoDecoder) {
        (self.preprocessing, self.decoder) = (preprocessing, decoder)
    }

    /// Turns a photo's file into the pixels that the model takes: upright sRGB of the model's height and width.
    ///
    /// - Throws: ``ImageQXError`` if it is no usable photo; `CancellationError` if the task was cancelled meanwhile.
    public func pixels(of file: Data) throws -> RGBPicture {
        guard !file.isEmpty else { throw ImageQXError.unreadablePhoto(got: "0 bytes") }
        try Task.checkCancellation()
        let least = (width: 3 * preprocessing.width / 2, height: 3 * preprocessing.height / 2)
        let photo = try decoder.decode(file, keeping: least)
        try Task.checkCancellation()
        return pixels(of: photo)
    }

    /// Turns a decoded photo, or a camera's frame, into the pixels that the model takes.
    public func pixels(of photo: DecodedPhoto) -> RGBPicture {
        RGBPicture.stretching(photo, to: preprocessing.width, preprocessing.height)
    }

    /// Refuses a size before its pixels are decoded.
    public static func check(width: Int, height: Int) throws {
        let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
        guard width > 0, height > 0, !overflow, pixels <= pixelLimit else {
            throw ImageQXError.unusableSize(width: width, height: height)
        }
    }
}

/// The rule by which a JPEG is decoded at 1/2, 1/4 or 1/8, which saves most of the time.
public enum ReducedDecoding {
    /// Returns the largest divisor, 1, 2, 4 or 8, that leaves so many pixels.
    ///
    /// - Parameters:
    ///   - width: The stored photo's.
    ///   - height: Likewise.
    ///   - least: Fewest pixels of the upright photo's sides.
    ///   - orientation: How the camera was held.
    ///   - unevenColour: Whether colour has fewer samples along one side alone (4:2:2, 4:4:0). libjpeg scales it down
    ///     with the brightness, and thin coloured lines suffer; one scale larger, they keep within the bound.
    public static func divisor(
        width: Int, height: Int, keeping least: (width: Int, height: Int), orientation: Orientation,
        unevenColour: Bool = false
    ) -> Int {
        let sides = orientation.swapsSides ? (least.height, least.width) : (least.width, least.height)
        let factor = unevenColour ? 2 : 1
        let most = min(width / max(factor * sides.0, 1), height / max(factor * sides.1, 1))
        return [8, 4, 2].first { most >= $0 } ?? 1
    }
}
