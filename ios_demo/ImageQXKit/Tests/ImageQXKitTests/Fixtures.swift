import Foundation
import Testing

@testable import ImageQXKit

/// What Python made for these tests: `python -m tests.ios.fixtures FOLDER`, with IMAGEQX_FIXTURES=FOLDER.
struct Fixtures: Decodable {
    let resizes: [Resize]
    let overlays: [Overlay]
    let verdicts: [VerdictCase]
    let comparisons: [Comparison]
    let digests: [DigestCase]

    struct Resize: Decodable {
        let name: String
        let orientation, width, height: Int
        let to: [Int]
        let covered: [Double]
    }

    struct Overlay: Decodable {
        let name: String
        let width, height, rows, columns: Int
        let values: [Float]
    }

    struct VerdictCase: Decodable {
        let spec: String
        let clinic: String?
        let outputs: [String: [Float]]
        let expected: Expected

        struct Expected: Decodable {
            let label: String
            let retake: Bool
            let probabilities: [String: Float]
            let reasons: [Reason]
            let hints: [String]
        }

        struct Reason: Decodable {
            let name: String
            let probability: Float
            let given: Bool
            let hint: String
        }
    }

    struct Comparison: Decodable {
        let spec: String
        let want, got: [[String: [Float]]]
        let tolerance: SelfTest.Tolerance
        let maxAbs: Double
        let decisions, differing: Int
        let passed: Bool
    }

    struct DigestCase: Decodable {
        let path, sha256: String
    }

    static let folder = folder(of: "IMAGEQX_FIXTURES")
    /// An export, `artifacts/imageqx`.
    static let artifacts = folder(of: "IMAGEQX_ARTIFACTS")
    static let all: Fixtures = {
        do {
            return try JSONDecoder().decode(Fixtures.self, from: read("fixtures.json"))
        } catch {
            fatalError("no fixtures: python -m tests.ios.fixtures FOLDER, then IMAGEQX_FIXTURES=FOLDER (\(error))")
        }
    }()

    static func read(_ name: String) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent(name))
    }

    private static func folder(of variable: String) -> URL {
        guard let path = ProcessInfo.processInfo.environment[variable] else {
            fatalError("\(variable) is not set: make test-ios sets it")
        }
        return URL(fileURLWithPath: path)
    }
}

/// A folder of a test's own, deleted with its owner.
final class TemporaryFolder: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ text: String, to name: String) throws -> URL {
        let file = url.appendingPathComponent(name)
        try Data(text.utf8).write(to: file)
        return file
    }
}

/// A model that gives what it is told to.
struct FakeModel: QualityModel {
    var spec: ModelSpec
    var answer: @Sendable (RGBPicture) async throws -> ModelOutputs

    func run(_ pixels: RGBPicture) async throws -> ModelOutputs { try await answer(pixels) }
}

/// A decoder that gives one picture.
struct FakeDecoder: PhotoDecoder {
    var photo = DecodedPhoto(picture: RGBPicture(width: 2, height: 1, samples: [1, 2, 3, 4, 5, 6]))

    func decode(_ file: Data, keeping least: (width: Int, height: Int)) throws -> DecodedPhoto { photo }
}
