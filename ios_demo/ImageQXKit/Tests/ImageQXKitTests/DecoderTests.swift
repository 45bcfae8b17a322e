import Foundation
import Testing

@testable import ImageQXKit

@Suite struct DecoderTests {
    @Test func damagedPhotosAreRefused() throws {
        let whole = try readFile(Fixtures.artifacts.appendingPathComponent("golden/00.png"))
        let decoder = GoldenDecoder()
        _ = try decoder.decode(whole, keeping: (336, 336))
        for broken in [
            Data("hello, this is no photo".utf8), whole.prefix(200), whole.prefix(whole.count / 2),
            Data([0xFF, 0xD8, 0xFF]),
        ] {
            #expect(throws: ImageQXError.self) { try decoder.decode(broken, keeping: (336, 336)) }
        }
    }

    @Test func aBombIsNeverDecoded() throws {
        var file = try readFile(Fixtures.artifacts.appendingPathComponent("golden/00.png"))
        // The header says 65535 × 65535; its checksum is set right, so that nothing but the size is wrong.
        file.replaceSubrange(16..<24, with: [0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF])
        let sum = crc32(file[12..<29])
        file.replaceSubrange(29..<33, with: (0..<4).map { UInt8(truncatingIfNeeded: sum >> (24 - 8 * UInt32($0))) })
        #expect(throws: ImageQXError.unusableSize(width: 65535, height: 65535)) {
            try GoldenDecoder().decode(file, keeping: (336, 336))
        }
    }

    @Test func colourIsReadFromTheHeader() {
        func header(_ factors: [UInt8]) -> Data {
            var bytes: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 0, 0, 0xFF, 0xC2]
            bytes += [0, UInt8(8 + 3 * factors.count), 8, 1, 0, 1, 0, UInt8(factors.count)]
            for factor in factors { bytes += [1, factor, 0] }
            return Data(bytes)
        }
        #expect(!JPEGHeader.hasUnevenColour(header([0x22, 0x11, 0x11])))
        #expect(!JPEGHeader.hasUnevenColour(header([0x11, 0x11, 0x11])))
        #expect(!JPEGHeader.hasUnevenColour(header([0x11])))
        #expect(JPEGHeader.hasUnevenColour(header([0x21, 0x11, 0x11])))
        #expect(JPEGHeader.hasUnevenColour(header([0x12, 0x11, 0x11])))
        #expect(JPEGHeader.hasUnevenColour(header([0x41, 0x11, 0x11])))
        for nonsense in [
            Data(), Data([0xFF]), header([0x22, 0x11, 0x11]).prefix(16), Data(repeating: 0xFF, count: 90),
        ] {
            #expect(JPEGHeader.hasUnevenColour(nonsense))
        }
    }

    private func crc32(_ bytes: Data) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { part, _ in part & 1 == 1 ? part >> 1 ^ 0xEDB8_8320 : part >> 1 }
        }
    }
}
