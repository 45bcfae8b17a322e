import Foundation
import Testing

@testable import ImageQXKit

@Suite struct BundleTests {
    @Test(arguments: Fixtures.all.digests.indices)
    func digestsEqualPythons(_ index: Int) throws {
        let one = Fixtures.all.digests[index]
        #expect(try digest(of: Fixtures.folder.appendingPathComponent(one.path)) == one.sha256)
    }

    @Test(arguments: Precision.allCases)
    func everyCoreMLModelIsTheOneThatWasExported(_ precision: Precision) throws {
        let artifact = try Manifest(folder: Fixtures.artifacts).coreML(precision)
        let place = try artifact.verified(in: Fixtures.artifacts)
        #expect(place.pathExtension == "mlpackage")
    }

    @Test func aSwappedModelIsRefused() throws {
        let manifest = try Manifest(folder: Fixtures.artifacts)
        let folder = try TemporaryFolder()
        let (one, other) = (try manifest.coreML(.w8), try manifest.coreML(.fp16))
        try FileManager.default.copyItem(
            at: Fixtures.artifacts.appendingPathComponent(other.path), to: folder.url.appendingPathComponent(one.path))
        #expect(throws: ImageQXError.wrongDigest(file: one.path, expected: one.sha256, got: other.sha256)) {
            try one.verified(in: folder.url)
        }
        #expect(throws: ImageQXError.missingFile(other.path)) { try other.verified(in: folder.url) }
    }

    @Test func aTruncatedModelIsRefused() throws {
        let artifact = try Manifest(folder: Fixtures.artifacts).coreML(.w8)
        let folder = try TemporaryFolder()
        let copy = folder.url.appendingPathComponent(artifact.path)
        try FileManager.default.copyItem(at: Fixtures.artifacts.appendingPathComponent(artifact.path), to: copy)
        #expect(try artifact.verified(in: folder.url).path == copy.path)
        let weights = copy.appendingPathComponent("Data/com.apple.CoreML/weights/weight.bin")
        try Data(contentsOf: weights).dropLast(1).write(to: weights)
        #expect(throws: ImageQXError.self) { try artifact.verified(in: folder.url) }
    }

    @Test func manifestsThatAreNoneAreRefused() throws {
        let folder = try TemporaryFolder()
        #expect(throws: ImageQXError.missingFile("manifest.json")) { try Manifest(folder: folder.url) }
        _ = try folder.write("{\"schema_version\": 9}", to: "manifest.json")
        #expect(throws: ImageQXError.unknownSchema(file: "manifest.json", version: "9")) {
            try Manifest(folder: folder.url)
        }
        _ = try folder.write("{\"schema_version\": 1, \"mod", to: "manifest.json")
        do {
            _ = try Manifest(folder: folder.url)
            Issue.record("a cut-off manifest was read")
        } catch ImageQXError.damagedFile(let file, _) {
            #expect(file == "manifest.json")
        }
        let manifest = try Manifest(folder: Fixtures.artifacts)
        let text = String(
            decoding: try readFile(Fixtures.artifacts.appendingPathComponent("manifest.json")), as: UTF8.self)
        let path = try manifest.coreML(.w8).path
        _ = try folder.write(text.replacingOccurrences(of: "\"\(path)\"", with: "\"../\(path)\""), to: "manifest.json")
        #expect(throws: ImageQXError.self) { try Manifest(folder: folder.url).coreML(.w8).verified(in: folder.url) }
    }

    @Test(arguments: Fixtures.all.comparisons.indices)
    func selfTestsEqualPythons(_ index: Int) throws {
        let one = Fixtures.all.comparisons[index]
        let rows = zip(one.want, one.got).map { (want: ModelOutputs($0), got: ModelOutputs($1)) }
        let report = try compare(rows, ModelSpec(metadata: one.spec), one.tolerance)
        #expect(abs(report.maxAbs - one.maxAbs) < 1e-12)
        #expect((report.decisions, report.differing) == (one.decisions, one.differing))
        #expect(report.passed == one.passed)
    }
}
