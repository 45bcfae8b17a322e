import Foundation
import Testing

@testable import ImageQXKit

@Suite struct SpecTests {
    @Test func everyArtifactsSpecIsRead() throws {
        let manifest = try Manifest(folder: Fixtures.artifacts)
        for artifact in manifest.artifacts {
            #expect(artifact.spec.preprocessing.width == artifact.spec.inputs[0].shape[2])
            let again = try ModelSpec(metadata: String(decoding: JSONEncoder().encode(artifact.spec), as: UTF8.self))
            #expect(again == artifact.spec)
        }
    }

    @Test func aSpecMayHaveABinaryDecision() throws {
        let spec = try ModelSpec(metadata: Self.binary)
        let fine = try spec.assess(ModelOutputs(["good": [0.4], "regions": [0.9, 0.1]]))
        #expect(
            fine.label == "good" && !fine.retake && fine.hints == [] && fine.reasons.map(\.name) == ["right", "left"])
        let poor = try spec.assess(ModelOutputs(["good": [0.39], "regions": [0.9, 0.1]]))
        #expect(poor.retake && poor.hints == ["Look right"] && poor.given.first?.region?.left == 0.5)
        let nowhere = try spec.assess(ModelOutputs(["good": [0], "regions": [0.9, 0.8]]))
        #expect(nowhere.hints == ["Try again"] && nowhere.hintNames == [Verdict.fallbackName])
        #expect(try spec.attentionMaps(ModelOutputs(["good": [0]])) == [])
    }

    @Test func aClinicMayHaveThresholdsOfABinaryDecision() throws {
        let folder = try TemporaryFolder()
        let spec = try ModelSpec(metadata: Self.binary)
        let own = try folder.write("{\"schema_version\": 2, \"good\": 0.7, \"regions\": 0.05}", to: "t.json")
        let changed = try spec.applying(ClinicThresholds(contentsOf: own))
        #expect(changed.binary?.threshold == 0.7 && changed.binary?.regions?.threshold == 0.05)
        let labels = try ModelSpec(metadata: Fixtures.all.verdicts[0].spec)
        #expect(throws: ImageQXError.self) { try labels.applying(ClinicThresholds(contentsOf: own)) }
        let other = try folder.write("{\"schema_version\": 1, \"poor_quality\": 0.5}", to: "u.json")
        #expect(throws: ImageQXError.self) { try spec.applying(ClinicThresholds(contentsOf: other)) }
    }

    @Test(arguments: [
        ("{\"schema_version\": 3}", "schema_version 3"), ("{\"schema_version\": 1, \"poor\": 1}", "poor is no field"),
        ("{\"schema_version\": 1, \"reasons\": {\"blurry\": 1.5}}", "not in [0, 1]"), ("{\"schema", "damaged"),
        ("{\"schema_version\": 1, \"good\": 0.5}", "schema_version 2"), ("{}", "no schema_version"),
    ])
    func thresholdsThatAreNoneAreRefused(_ text: String, _ why: String) throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let file = try folder.write(text, to: "thresholds.json")
        try expectRefusal(why) { _ = try ClinicThresholds(contentsOf: file) }
    }

    @Test func aReasonThatTheModelLacksIsRefused() throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let file = try folder.write("{\"schema_version\": 1, \"reasons\": {\"ugly\": 1}}", to: "t.json")
        let spec = try ModelSpec(metadata: Fixtures.all.verdicts[0].spec)
        try expectRefusal("ugly") { _ = try spec.applying(ClinicThresholds(contentsOf: file)) }
    }

    @Test(arguments: [
        ("\"name\":\"imageqx\"", "\"schema_version\":7,\"name\":\"imageqx\"", "schema_version 7"),
        ("\"blurry\":0.5", "\"blurry\":1.5", "not in [0, 1]"), ("\"blurry\":0.5,", "", "thresholds must name each"),
        ("\"stretch\"", "\"crop\"", "preprocessing.resize is crop"), ("\"poor_quality\"", "\"bad\"", "labels lack"),
        ("[1,224,224,3]", "[1,3,224,224]", "the input is not"),
        ("\"name\":\"quality\"", "\"name\":\"q\"", "no output quality"),
        ("[1,5]", "[1,6]", "the output explanations"), ("\"outputs\":", "\"out\":", "no outputs"), ("}", "", "damaged"),
    ])
    func specsThatAreNoneAreRefused(_ old: String, _ new: String, _ why: String) throws {
        let text = try plainSpec()
        #expect(text.contains(old))
        try expectRefusal(why) { _ = try ModelSpec(metadata: text.replacingOccurrences(of: old, with: new)) }
    }

    @Test(arguments: [
        ("\"shape\":[1,1]", "\"shape\":[1,2]", "the output good"), ("\"left\":0.5", "\"left\":0.6", "leaves the frame"),
        ("\"name\":\"right\"", "\"name\":\"left\"", "named twice"),
        ("\"labels\":[]", "\"labels\":[\"a\"]", "either labels or"),
        ("\"threshold\":0.4", "\"threshold\":4", "not in [0, 1]"),
        ("horizontal-first", "vertical-first", "resize_order"),
    ])
    func binarySpecsThatAreNoneAreRefused(_ old: String, _ new: String, _ why: String) throws {
        #expect(Self.binary.contains(old))
        try expectRefusal(why) { _ = try ModelSpec(metadata: Self.binary.replacingOccurrences(of: old, with: new)) }
    }

    static let binary = """
        {"schema_version":2,"name":"duke","inputs":[{"name":"image","shape":[1,64,96,3],"dtype":"uint8","meaning":""}],
        "outputs":[{"name":"good","shape":[1,1],"dtype":"float32","meaning":""},
        {"name":"regions","shape":[1,2],"dtype":"float32","meaning":""}],
        "preprocessing":{"height":64,"width":96,"resize_order":"horizontal-first"},"labels":[],"reasons":[],"thresholds":{},
        "poor_quality_threshold":null,"hints":{},
        "binary":{"output":"good","threshold":0.4,"hint":"Try again","ranks":null,"regions":{"output":"regions","threshold":0.3,
        "parts":[{"name":"left","left":0,"top":0,"width":0.5,"height":1,"hint":"Look left"},
        {"name":"right","left":0.5,"top":0,"width":0.5,"height":1,"hint":"Look right"}]}}}
        """

    private func plainSpec() throws -> String {
        let compact = try JSONSerialization.jsonObject(with: Data(Fixtures.all.verdicts[0].spec.utf8))
        var fields = try #require(compact as? [String: Any])
        fields["schema_version"] = nil
        fields["poor_quality_threshold"] = nil
        let data = try JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys])
        return String(decoding: data, as: UTF8.self)
    }
}

/// Expects an error of the kit's whose description contains `why`.
func expectRefusal(_ why: String, _ action: () throws -> Void) throws {
    do {
        try action()
        Issue.record("nothing was refused, expected: \(why)")
    } catch let error as ImageQXError {
        let text = error.errorDescription ?? ""
        #expect(text.contains(why), "\(text)")
        #expect(!error.code.isEmpty && error.recoverySuggestion?.isEmpty == false)
    }
}
