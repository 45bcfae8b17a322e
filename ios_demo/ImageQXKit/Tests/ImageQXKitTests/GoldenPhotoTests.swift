import Foundation
import Testing

@testable import ImageQXKit

/// `golden/photos/` of an export: photos with the pixels that they become.
@Suite struct GoldenPhotoTests {
    struct Index: Decodable {
        let preprocessing: Preprocessing
        let photos: [Photo]
    }

    struct Photo: Decodable, Sendable, CustomTestStringConvertible {
        let photo, pixels: String
        let width, height, orientation, reduction: Int
        let needs: [String]
        var testDescription: String { photo }
    }

    static let folder = Fixtures.artifacts.appendingPathComponent("golden/photos")
    static let index: Index = {
        do {
            return try readJSON(
                Index.self, from: readFile(folder.appendingPathComponent("photos.json")), named: "photos.json")
        } catch {
            fatalError("no golden photos: imageqx export (\(error))")
        }
    }()

    /// Converting a colour profile is the system decoder's, and the test decoder has none.
    static var decodable: [Photo] {
        #if canImport(ImageIO)
            index.photos
        #else
            index.photos.filter { !$0.needs.contains("icc") }
        #endif
    }

    @Test(arguments: decodable)
    func everyPhotoBecomesItsPixels(_ one: Photo) throws {
        let file = try readFile(Self.folder.appendingPathComponent(one.photo))
        let got = try Preprocessor(Self.index.preprocessing, decoder: GoldenDecoder()).pixels(of: file).samples
        let expected = [UInt8](try readFile(Self.folder.appendingPathComponent(one.pixels)))
        #expect(got.count == expected.count)
        let off = zip(got, expected).map { abs(Int($0) - Int($1)) }
        #if canImport(ImageIO)
            // Apple's decoders are not libjpeg-turbo and LittleCMS.
            #expect(Double(off.reduce(0, +)) / Double(off.count) < 1.5)
        #else
            #expect(off.filter { $0 != 0 }.count == 0)
        #endif
    }

    @Test func theyAskForEverything() {
        let needs = Set(Self.index.photos.flatMap(\.needs))
        #expect(needs == ["jpeg", "png", "orientation", "reduction", "icc", "cmyk", "grey", "alpha"])
        #expect(Set(Self.index.photos.map(\.orientation)) == Set(1...8))
    }

    @Test func aWrongOrientationIsFound() throws {
        // The negative control.
        let one = try #require(Self.index.photos.first { $0.orientation == 6 })
        let file = try readFile(Self.folder.appendingPathComponent(one.photo))
        let photo = try GoldenDecoder().decode(file, keeping: (336, 336))
        let wrong = DecodedPhoto(
            picture: photo.picture, orientation: .left, covered: (photo.coveredWidth, photo.coveredHeight))
        let got = Preprocessor(Self.index.preprocessing, decoder: GoldenDecoder()).pixels(of: wrong).samples
        let right = [UInt8](try readFile(Self.folder.appendingPathComponent(one.pixels)))
        #expect(got != right)
    }
}
