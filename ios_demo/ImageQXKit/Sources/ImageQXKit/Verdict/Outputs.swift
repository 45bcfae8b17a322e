/// What a model gives for one photo: per output's name its numbers, row by row.
public struct ModelOutputs: Equatable, Sendable {
    /// The numbers, by the output's name.
    public let values: [String: [Float]]

    /// Holds outputs.
    public init(_ values: [String: [Float]]) { self.values = values }

    /// Returns an output's numbers.
    ///
    /// - Throws: ``ImageQXError/unusableOutput(name:why:)`` if it is missing, of another size, or not finite.
    func read(_ name: String, count: Int) throws -> [Float] {
        guard let numbers = values[name] else {
            throw ImageQXError.unusableOutput(name: name, why: "it is missing")
        }
        guard numbers.count == count else {
            throw ImageQXError.unusableOutput(name: name, why: "\(numbers.count) numbers, expected \(count)")
        }
        guard numbers.allSatisfy(\.isFinite) else {
            throw ImageQXError.unusableOutput(name: name, why: "it is not finite")
        }
        return numbers
    }
}
