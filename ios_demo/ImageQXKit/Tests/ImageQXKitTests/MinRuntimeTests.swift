import Foundation
import Testing

@testable import ImageQXKit

@Suite struct MinRuntimeTests {
    @Test(arguments: [(17, 0, 0), (17, 4, 1), (18, 0, 0), (26, 0, 0)])
    func systemsThatAreNewEnough(_ major: Int, _ minor: Int, _ patch: Int) throws {
        try spec("\"17.0\"").checkSystem(system(major, minor, patch))
    }

    @Test(arguments: [(16, 7, 8), (15, 0, 0), (9, 9, 9)])
    func olderSystemsAreRefused(_ major: Int, _ minor: Int, _ patch: Int) throws {
        let spec = try spec("\"17.0\"")
        try expectRefusal("expected iOS 17.0 or newer, got iOS \(major).\(minor).\(patch)") {
            try spec.checkSystem(system(major, minor, patch))
        }
    }

    @Test func versionsAreComparedAsNumbers() throws {
        try spec("\"9.0\"").checkSystem(system(17, 0, 0))
        try spec("\"16.4\"").checkSystem(system(16, 10, 0))
        try expectRefusal("another file") { try spec("null").checkSystem(system(99, 0, 0)) }
    }

    @Test func aSpecOfBeforeIsNotRefused() throws {
        let old = try ModelSpec(metadata: SpecTests.binary)
        #expect(old.minRuntime.isEmpty)
        try old.checkSystem(system(1, 0, 0))
    }

    @Test func packagesSayWhichSystemOpensThem() throws {
        let packages = try Manifest(folder: Fixtures.artifacts).artifacts.filter { $0.format == "coreml" }
        #expect(!packages.isEmpty)
        for artifact in packages {
            try artifact.spec.checkSystem(system(artifact.precision == "w8a8" ? 17 : 16, 0, 0))
            #expect(throws: ImageQXError.self) { try artifact.spec.checkSystem(system(15, 8, 3)) }
        }
    }

    private func spec(_ version: String) throws -> ModelSpec {
        let stated = "\"name\":\"duke\",\"min_runtime\":{\"ios\":\(version)}"
        return try ModelSpec(metadata: SpecTests.binary.replacingOccurrences(of: "\"name\":\"duke\"", with: stated))
    }

    private func system(_ major: Int, _ minor: Int, _ patch: Int) -> OperatingSystemVersion {
        OperatingSystemVersion(majorVersion: major, minorVersion: minor, patchVersion: patch)
    }
}
