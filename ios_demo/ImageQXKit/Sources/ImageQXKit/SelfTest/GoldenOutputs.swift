import Foundation

/// PyTorch's outputs for the golden pictures, as `golden/expected*.json` holds them.
public struct GoldenOutputs: Sendable {
    private let file: String
    private let rows: [String: [String: Numbers]]

    /// Numbers in nested lists of any depth, flattened row by row.
    private struct Numbers: Decodable {
        let flat: [Float]

        init(from decoder: any Decoder) throws {
            if let number = try? decoder.singleValueContainer().decode(Double.self) {
                flat = [Float(number)]
            } else {
                flat = try [Numbers](from: decoder).flatMap(\.flat)
            }
        }
    }

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - file: The file.
    ///   - spec: Says which outputs it must have.
    public init(_ file: URL, spec: ModelSpec) throws {
        self.file = file.lastPathComponent
        rows = try readJSON([String: [String: Numbers]].self, from: readFile(file), named: self.file)
        for (picture, row) in rows {
            for output in spec.outputs where row[output.name]?.flat.count != output.count {
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
        return ModelOutputs(row.mapValues(\.flat))
    }
}
