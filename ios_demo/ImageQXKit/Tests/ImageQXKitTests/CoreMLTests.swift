#if canImport(CoreML)
    import Foundation
    import Testing

    @testable import ImageQXKit

    /// Core ML itself against PyTorch's outputs for the golden pictures; on Apple's systems only.
    @Suite(.serialized) struct CoreMLTests {
        @Test(arguments: Precision.allCases, ComputeUnits.allCases)
        func everyModelGivesPyTorchsNumbers(_ precision: Precision, _ units: ComputeUnits) async throws {
            let folder = try ModelFolder(Fixtures.artifacts)
            let model = try await folder.load(precision, units: units)
            #expect(try model.spec == folder.manifest.coreML(precision).spec)
            let golden = Fixtures.artifacts.appendingPathComponent("golden")
            let report = try await SelfTest(folder: golden)
                .ask(model, precision, folder: golden, decoder: ImageIODecoder())
            #expect(report.passed, "\(precision) on \(units): \(report.problem ?? "")")
        }

        @Test func oneLineAssessesAPhoto() async throws {
            let photo = try readFile(Fixtures.artifacts.appendingPathComponent("golden/00.png"))
            let assessment = try await ImageQX(Fixtures.artifacts).assess(photo)
            #expect(!assessment.verdict.label.isEmpty && !assessment.verdict.reasons.isEmpty)
        }
    }
#endif
