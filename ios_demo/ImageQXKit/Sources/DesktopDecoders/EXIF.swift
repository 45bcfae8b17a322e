import Foundation

/// Reads the one field of EXIF that matters; ImageIO does it on Apple's systems.
enum EXIF {
    /// Returns the orientation of a JPEG, or nil where it has none.
    static func orientation(ofJPEG file: Data) -> Int? {
        let bytes = [UInt8](file)
        var place = 2
        while place + 4 <= bytes.count, bytes[place] == 0xFF {
            let (marker, length) = (bytes[place + 1], Int(bytes[place + 2]) << 8 | Int(bytes[place + 3]))
            let end = min(place + 2 + length, bytes.count)
            if marker == 0xE1, place + 10 <= end, Array(bytes[place + 4..<place + 10]) == Array("Exif\0\0".utf8) {
                return orientation(ofTIFF: Array(bytes[place + 10..<end]))
            }
            if marker == 0xDA { return nil }
            place += 2 + length
        }
        return nil
    }

    private static func orientation(ofTIFF bytes: [UInt8]) -> Int? {
        guard bytes.count >= 8 else { return nil }
        let little = bytes[0] == 0x49
        func read(_ place: Int, _ size: Int) -> Int? {
            guard place >= 0, place + size <= bytes.count else { return nil }
            let part = bytes[place..<place + size]
            return (little ? Array(part.reversed()) : Array(part)).reduce(0) { $0 << 8 | Int($1) }
        }
        guard let folder = read(4, 4), let entries = read(folder, 2) else { return nil }
        for entry in 0..<entries {
            let place = folder + 2 + 12 * entry
            if read(place, 2) == 0x0112 { return read(place + 8, 2) }
        }
        return nil
    }
}
