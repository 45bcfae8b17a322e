import Foundation

/// A clinic's own thresholds, which stand in for the spec's without an export.
///
/// `imageqx thresholds --thresholds-out FILE` writes such a file. What it does not name stays as it is.
public struct ClinicThresholds: Decodable, Equatable, Sendable {
    /// The probability of `poor_quality` from which a photo is poor; ``PoorQuality/kept`` where the file is silent.
    public let poorQuality: PoorQuality
    /// Per reason, the probability from which it counts as given.
    public let reasons: [String: Double]
    /// The probability from which a photo is good, for the binary kind of answer.
    public let good: Double?
    /// The probability below which a region is bad.
    public let regions: Double?

    /// What the file says of the threshold of `poor_quality`: a null is an answer, too.
    public enum PoorQuality: Equatable, Sendable {
        /// Nothing: the spec's stays.
        case kept
        /// Null: the most probable label holds.
        case mostProbableLabel
        /// A probability.
        case atLeast(Double)
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case schemaVersion = "schema_version"
        case poorQuality = "poor_quality"
        case reasons, good, regions, chosen
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Reads a file's contents.
    public init(from decoder: any Decoder) throws {
        let known = Set(CodingKeys.allCases.map(\.rawValue))
        let all = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        if let strange = all.filter({ !known.contains($0) }).min() {
            throw ImageQXError.damagedFile("the thresholds", why: "\(strange) is no field of it")
        }
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let version = try fields.decode(Int.self, forKey: .schemaVersion)
        guard ModelSpec.knownVersions.contains(version) else {
            throw ImageQXError.unknownSchema(file: "the thresholds", version: String(version))
        }
        if fields.contains(.poorQuality) {
            let value = try fields.decodeIfPresent(Double.self, forKey: .poorQuality)
            poorQuality = value.map(PoorQuality.atLeast) ?? .mostProbableLabel
        } else {
            poorQuality = .kept
        }
        reasons = try fields.decodeIfPresent([String: Double].self, forKey: .reasons) ?? [:]
        good = try fields.decodeIfPresent(Double.self, forKey: .good)
        regions = try fields.decodeIfPresent(Double.self, forKey: .regions)
        if version == 1 && (good != nil || regions != nil) {
            throw ImageQXError.damagedFile("the thresholds", why: "good and regions are of schema_version 2")
        }
        var all01 = Array(reasons.values) + [good, regions].compactMap { $0 }
        if case .atLeast(let value) = poorQuality { all01.append(value) }
        guard all01.allSatisfy((0...1).contains) else {
            throw ImageQXError.damagedFile("the thresholds", why: "a probability is not in [0, 1]")
        }
    }

    /// Reads a file.
    ///
    /// - Throws: ``ImageQXError/missingFile(_:)``, ``ImageQXError/damagedFile(_:why:)`` or
    ///   ``ImageQXError/unknownSchema(file:version:)``.
    public init(contentsOf file: URL) throws {
        self = try readJSON(Self.self, from: readFile(file), named: file.lastPathComponent)
    }
}

extension ModelSpec {
    /// Returns this spec with a clinic's own thresholds in place of its own.
    ///
    /// - Throws: ``ImageQXError/unusableSpec(why:)`` if the file names a reason that the model does not have, or
    ///   thresholds of the other kind of answer.
    public func applying(_ own: ClinicThresholds) throws -> ModelSpec {
        var changed = self
        if let strange = own.reasons.keys.filter({ !reasons.contains($0) }).min() {
            throw ImageQXError.unusableSpec(why: "the thresholds name \(strange), which is no reason of \(name)")
        }
        changed.thresholds.merge(own.reasons) { _, new in new }
        if binary == nil && (own.good != nil || own.regions != nil) {
            throw ImageQXError.unusableSpec(why: "the thresholds are of a binary decision, and \(name) has labels")
        }
        if binary != nil && own.poorQuality != .kept {
            throw ImageQXError.unusableSpec(why: "the thresholds are of labels, and \(name) has a binary decision")
        }
        if own.regions != nil && binary?.regions == nil {
            throw ImageQXError.unusableSpec(why: "the thresholds are of regions, and \(name) has none")
        }
        switch own.poorQuality {
        case .kept: break
        case .mostProbableLabel: changed.poorQualityThreshold = nil
        case .atLeast(let value): changed.poorQualityThreshold = value
        }
        if let good = own.good { changed.binary?.threshold = good }
        if let regions = own.regions { changed.binary?.regions?.threshold = regions }
        return changed
    }
}
