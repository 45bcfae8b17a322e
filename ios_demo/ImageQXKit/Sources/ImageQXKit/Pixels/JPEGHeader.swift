import Foundation

/// What a JPEG's header says of its colour, which decoders do not tell.
public enum JPEGHeader {
    /// Returns whether colour has fewer samples along one side alone (4:2:2, 4:4:0, 4:1:1).
    ///
    /// - Parameter file: The file's bytes; of one without a readable header nothing is known, and the answer is true,
    ///   which is right for all.
    public static func hasUnevenColour(_ file: Data) -> Bool {
        guard let samples = findSamples([UInt8](file.prefix(1 << 20))), !samples.isEmpty else { return true }
        let widest = samples.map(\.across).max() ?? 1
        let tallest = samples.map(\.down).max() ?? 1
        return samples.contains { widest * $0.down != tallest * $0.across }
    }

    /// Finds the frame header's sampling factors; source: ITU-T T.81, section B.2.2.
    private static func findSamples(_ bytes: [UInt8]) -> [(across: Int, down: Int)]? {
        var place = 2
        while place + 9 < bytes.count, bytes[place] == 0xFF {
            let marker = bytes[place + 1]
            let length = Int(bytes[place + 2]) << 8 | Int(bytes[place + 3])
            if marker == 0xFF {
                place += 1
                continue
            }
            if (0xC0...0xCF).contains(marker), ![0xC4, 0xC8, 0xCC].contains(marker) {
                let components = Int(bytes[place + 9])
                guard place + 10 + 3 * components <= bytes.count else { return nil }
                return (0..<components).map {
                    let factors = Int(bytes[place + 11 + 3 * $0])
                    return (factors >> 4, factors & 15)
                }
            }
            guard marker != 0xDA, length >= 2 else { return nil }
            place += 2 + length
        }
        return nil
    }
}
