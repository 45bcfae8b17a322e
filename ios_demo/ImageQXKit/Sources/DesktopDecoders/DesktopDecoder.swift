import CPNG
import CTurboJPEG
import Foundation
import ImageQXKit

/// Decodes PNG and JPEG with libpng and libjpeg-turbo, which Pillow decodes with too: for tests off a Mac.
///
/// It converts no colour profile: the golden photos that have one come with the pixels after it.
public struct DesktopDecoder: PhotoDecoder {
    /// Makes a decoder.
    public init() {}

    public func decode(_ file: Data, keeping least: (width: Int, height: Int)) throws -> DecodedPhoto {
        if file.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return DecodedPhoto(picture: try decodePNG(file)) }
        if file.starts(with: [0xFF, 0xD8]) { return try decodeJPEG(file, keeping: least) }
        throw ImageQXError.unreadablePhoto(got: "a file that starts with \(Array(file.prefix(4)))")
    }

    private func decodePNG(_ file: Data) throws -> RGBPicture {
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        defer { png_image_free(&image) }
        return try file.withUnsafeBytes { bytes in
            guard png_image_begin_read_from_memory(&image, bytes.baseAddress, bytes.count) != 0 else {
                throw ImageQXError.unreadablePhoto(got: message(of: image))
            }
            let (width, height) = (Int(image.width), Int(image.height))
            try Preprocessor.check(width: width, height: height)
            image.format = UInt32(PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA)
            var samples = [UInt8](repeating: 0, count: width * height * 4)
            guard png_image_finish_read(&image, nil, &samples, 0, nil) != 0 else {
                throw ImageQXError.unreadablePhoto(got: message(of: image))
            }
            return RGBPicture(width: width, height: height, samples: layOverWhite(samples))
        }
    }

    /// Returns RGBA over white, rounded as Pillow's `composite` does; libpng's own blends in linear light.
    private func layOverWhite(_ samples: [UInt8]) -> [UInt8] {
        var rgb = [UInt8]()
        rgb.reserveCapacity(samples.count / 4 * 3)
        for pixel in stride(from: 0, to: samples.count, by: 4) {
            let alpha = Int(samples[pixel + 3])
            for channel in 0..<3 {
                rgb.append(divideBy255(255 * (255 - alpha) + Int(samples[pixel + channel]) * alpha))
            }
        }
        return rgb
    }

    private func message(of image: png_image) -> String {
        withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private func decodeJPEG(_ file: Data, keeping least: (width: Int, height: Int)) throws -> DecodedPhoto {
        guard let handle = tjInitDecompress() else { throw ImageQXError.outOfMemory(bytes: 0) }
        defer { tjDestroy(handle) }
        return try file.withUnsafeBytes { raw in
            let bytes = raw.bindMemory(to: UInt8.self)
            var (width, height, sampling, colours) = (Int32(0), Int32(0), Int32(0), Int32(0))
            let size = UInt(bytes.count)
            guard tjDecompressHeader3(handle, bytes.baseAddress, size, &width, &height, &sampling, &colours) == 0 else {
                throw ImageQXError.unreadablePhoto(got: String(cString: tjGetErrorStr2(handle)))
            }
            try Preprocessor.check(width: Int(width), height: Int(height))
            let orientation = Orientation(exif: EXIF.orientation(ofJPEG: file))
            let divisor = ReducedDecoding.divisor(
                width: Int(width), height: Int(height), keeping: least, orientation: orientation,
                unevenColour: JPEGHeader.hasUnevenColour(file))
            let (columns, rows) = ((Int(width) + divisor - 1) / divisor, (Int(height) + divisor - 1) / divisor)
            let fourColours = colours == Int32(TJCS_CMYK.rawValue) || colours == Int32(TJCS_YCCK.rawValue)
            let channels = fourColours ? 4 : 3
            var samples = [UInt8](repeating: 0, count: columns * rows * channels)
            let format = fourColours ? Int32(TJPF_CMYK.rawValue) : Int32(TJPF_RGB.rawValue)
            let done = tjDecompress2(
                handle, bytes.baseAddress, size, &samples, Int32(columns), 0, Int32(rows), format,
                TJFLAG_ACCURATEDCT)
            guard done == 0 else { throw ImageQXError.unreadablePhoto(got: String(cString: tjGetErrorStr2(handle))) }
            return DecodedPhoto(
                picture: RGBPicture(
                    width: columns, height: rows, samples: fourColours ? invert(samples) : samples),
                orientation: orientation,
                covered: (Double(width) / Double(divisor), Double(height) / Double(divisor)))
        }
    }

    /// Returns Adobe's inverted CMYK as RGB, as Pillow converts it.
    private func invert(_ samples: [UInt8]) -> [UInt8] {
        var rgb = [UInt8]()
        rgb.reserveCapacity(samples.count / 4 * 3)
        for pixel in stride(from: 0, to: samples.count, by: 4) {
            let light = Int(samples[pixel + 3])
            for channel in 0..<3 {
                rgb.append(divideBy255(Int(samples[pixel + channel]) * light))
            }
        }
        return rgb
    }
}

/// Divides a product of two samples by 255, rounded.
private func divideBy255(_ product: Int) -> UInt8 {
    let half = product + 128
    return UInt8((half + half >> 8) >> 8)
}
