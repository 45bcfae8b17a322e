import Foundation

#if canImport(CryptoKit)
    import CryptoKit
#endif

/// Returns the SHA-256 of a file, or of a folder's file names and contents, in hexadecimal.
///
/// A folder's digest is that of the lines `<sha256>  <relative name>`, sorted by name, as `sha256sum` prints them; it is
/// what the manifest has for an `.mlpackage`.
///
/// - Throws: ``ImageQXError/missingFile(_:)`` or ``ImageQXError/damagedFile(_:why:)``.
public func digest(of place: URL) throws -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: place.path, isDirectory: &isFolder) else {
        throw ImageQXError.missingFile(place.lastPathComponent)
    }
    guard isFolder.boolValue else { return hexadecimal(sha256(try readFile(place))) }
    let names = try listFiles(below: place)
    let lines = try names.map { "\(try digest(of: place.appendingPathComponent($0)))  \($0)\n" }
    return hexadecimal(sha256(Data(lines.joined().utf8)))
}

/// Lists the files below a folder by relative name, in the order of their names' code points.
private func listFiles(below folder: URL) throws -> [String] {
    guard let found = FileManager.default.subpaths(atPath: folder.path) else {
        throw ImageQXError.damagedFile(folder.lastPathComponent, why: "it cannot be listed")
    }
    let files = found.filter { name in
        var isFolder: ObjCBool = false
        let place = folder.appendingPathComponent(name).path
        return FileManager.default.fileExists(atPath: place, isDirectory: &isFolder) && !isFolder.boolValue
    }
    return files.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
}

private func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

#if canImport(CryptoKit)
    private func sha256(_ data: Data) -> [UInt8] { Array(SHA256.hash(data: data)) }
#else
    private func sha256(_ data: Data) -> [UInt8] { PortableSHA256.hash(data) }
#endif
