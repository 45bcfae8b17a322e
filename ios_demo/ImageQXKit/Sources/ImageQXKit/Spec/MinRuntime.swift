import Foundation

extension ModelSpec {
    /// Refuses a model that a version of iOS does not open: Core ML's own words for it name no version.
    ///
    /// - Parameter system: The phone's; what the spec says nothing of is not refused.
    /// - Throws: ``ImageQXError/systemTooOld(expected:got:)``.
    public func checkSystem(_ system: OperatingSystemVersion) throws {
        guard let entry = minRuntime["ios"] else { return }
        let got = [system.majorVersion, system.minorVersion, system.patchVersion]
        guard let needed = entry else { throw ImageQXError.systemTooOld(expected: "another file", got: name(got)) }
        let numbers = needed.split(separator: ".").map { Int($0) ?? 0 }
        for place in 0..<max(numbers.count, got.count) {
            let (have, want) = (place < got.count ? got[place] : 0, place < numbers.count ? numbers[place] : 0)
            if have > want { return }
            if have < want { throw ImageQXError.systemTooOld(expected: "iOS \(needed) or newer", got: name(got)) }
        }
    }

    private func name(_ numbers: [Int]) -> String { "iOS " + numbers.map(String.init).joined(separator: ".") }
}
