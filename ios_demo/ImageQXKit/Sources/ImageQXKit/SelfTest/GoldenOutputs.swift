import Foundation

/// PyTorch's outputs for the golden pictures, as `golden/expected*.json` holds them.
public struct GoldenOutputs: Sendable {
    private let file: String
    private let rows: [String: [String: [Float]]]

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - file: The file.
    ///   - spec: Says which outputs it must have.
    public init(_ file: URL, spec: ModelSpec) throws {
        self.file = file.lastPathComponent
        // Not Codable: a number or a list, whichever comes, costs a thrown error for every number.
        guard
            let read = try? JSONSerialization.jsonObject(with: readFile(file)),
            let pictures = read as? [String: [String: Any]]
        else { throw ImageQXError.damagedFile(file.lastPathComponent, why: "no rows of outputs") }
        rows = pictures.mapValues { $0.mapValues(flatten) }
        for (picture, row) in rows {
            for output in spec.outputs where row[output.name]?.count != output.count {
                throw ImageQXError.damagedFile(self.file, why: "\(picture) lacks \(output.count) of \(output.name)")
            }
        }
    }

    /// The pictures' names, sorted.
    public var pictures: [String] { rows.keys.sorted() }

    /// Returns the outputs of a picture.
    ///
    /// - Throws: ``ImageQXError/damagedFile(_:why:)`` if there are none.
    public func outputs(of picture: String) throws -> ModelOutputs {
        guard let row = rows[picture] else { throw ImageQXError.damagedFile(file, why: "it lacks \(picture)") }
        return ModelOutputs(row)
    }
}

/// Returns the numbers of nested lists, row by row.
private func flatten(_ value: Any) -> [Float] {
    if let list = value as? [Any] { return list.flatMap(flatten) }
    return (value as? NSNumber).map { [$0.floatValue] } ?? []
}
