import Foundation

/// Returns a file's bytes.
///
/// - Throws: ``ImageQXError/missingFile(_:)`` or ``ImageQXError/damagedFile(_:why:)``.
func readFile(_ file: URL) throws -> Data {
    guard FileManager.default.fileExists(atPath: file.path) else {
        throw ImageQXError.missingFile(file.lastPathComponent)
    }
    do {
        return try Data(contentsOf: file)
    } catch {
        throw ImageQXError.damagedFile(file.lastPathComponent, why: "it cannot be read")
    }
}
