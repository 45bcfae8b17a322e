import Foundation
import Testing

@testable import ImageQXKit

@Suite struct PixelTests {
    @Test(arguments: Fixtures.all.resizes.indices)
    func stretchingEqualsPillow(_ index: Int) throws {
        let one = Fixtures.all.resizes[index]
        let samples = [UInt8](try Fixtures.read(one.name + ".in"))
        let photo = DecodedPhoto(
            picture: RGBPicture(width: one.width, height: one.height, samples: samples),
            orientation: try #require(Orientation(rawValue: one.orientation)),
            covered: (one.covered[0], one.covered[1]))
        let small = RGBPicture.stretching(photo, to: one.to[0], one.to[1])
        #expect((small.width, small.height) == (one.to[0], one.to[1]))
        let expected = [UInt8](try Fixtures.read(one.name + ".out"))
        let differing = zip(small.samples, expected).filter { $0 != $1 }.count
        #expect(differing == 0 && expected.count == small.samples.count)
    }

    @Test func theOrderOfThePassesShows() throws {
        // The negative control: a tall photo, its columns resized first.
        let tall = try #require(
            Fixtures.all.resizes.first { $0.height > 2 * $0.width && $0.width > 224 || $0.height == 1280 })
        let samples = [UInt8](try Fixtures.read(tall.name + ".in"))
        let lying = DecodedPhoto(
            picture: RGBPicture(width: tall.width, height: tall.height, samples: samples), orientation: .leftMirrored)
        let other = RGBPicture.stretching(lying, to: 224, 224).turned(.leftMirrored)
        let expected = [UInt8](try Fixtures.read(tall.name + ".out"))
        let differing = zip(other.samples, expected).filter { $0 != $1 }.count
        #expect(differing > expected.count / 100)
        #expect(zip(other.samples, expected).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
    }

    @Test func turningFourTimesIsNothing() {
        let picture = RGBPicture(width: 2, height: 3, samples: (0..<18).map(UInt8.init))
        #expect(picture.turned(.right).turned(.right).turned(.right).turned(.right) == picture)
        for mirrored: Orientation in [.upMirrored, .down, .downMirrored, .leftMirrored, .rightMirrored] {
            #expect(picture.turned(mirrored).turned(mirrored) == picture)
        }
        #expect(picture.turned(.right).turned(.left) == picture)
        #expect(Orientation(exif: 9) == .up && Orientation(exif: nil) == .up && Orientation(exif: 6) == .right)
    }

    @Test(arguments: [
        (4032, 3024, false, 8), (4032, 3024, true, 4), (2688, 2688, false, 8), (2687, 4000, false, 4),
        (671, 9999, false, 1),
        (672, 672, false, 2), (1343, 1344, true, 1),
    ])
    func reducedDecodingKeepsTheSides(_ width: Int, _ height: Int, _ uneven: Bool, _ expected: Int) {
        let divisor = ReducedDecoding.divisor(
            width: width, height: height, keeping: (336, 336), orientation: .up, unevenColour: uneven)
        #expect(divisor == expected)
    }

    @Test func aPhotoOnItsSideKeepsItsOwnSides() {
        func divide(_ orientation: Orientation) -> Int {
            ReducedDecoding.divisor(width: 400, height: 1600, keeping: (800, 200), orientation: orientation)
        }
        #expect(divide(.up) == 1 && divide(.left) == 2)
    }

    @Test(arguments: [(0, 5), (5, 0), (20_000, 10_001), (Int.max, 2)])
    func unusableSizesAreRefused(_ width: Int, _ height: Int) {
        #expect(throws: ImageQXError.unusableSize(width: width, height: height)) {
            try Preprocessor.check(width: width, height: height)
        }
    }
}
