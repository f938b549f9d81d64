import Foundation

/// Reads descriptions of models from files.
enum SourceFile {
  /// The text of the file at `path`.
  ///
  /// - Throws: `DiagnosticError` where there is no such file, or it is no text of a sensible size.
  static func text(at path: String) throws(DiagnosticError) -> String {
    let bytes = try bytes(at: path)
    guard !bytes.isEmpty else { throw DiagnosticError("the file is empty: a model starts with 'model NAME'", file: path) }
    guard !bytes.contains(0), let text = String(data: bytes, encoding: .utf8) else {
      throw DiagnosticError("the file is not text in UTF-8, so it is no description of a model", file: path)
    }
    return text
  }

  private static func bytes(at path: String) throws(DiagnosticError) -> Data {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw DiagnosticError("there is no such file", file: path)
    }
    guard !isDirectory.boolValue else {
      throw DiagnosticError("this is a folder, not a file that describes a model", file: path)
    }
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw DiagnosticError("the file cannot be opened: is reading it allowed?", file: path)
    }
    defer { try? handle.close() }
    return try bytes(from: handle, at: path)
  }

  /// Everything that `handle` gives, which may be less than asked for at a time.
  private static func bytes(from handle: FileHandle, at path: String) throws(DiagnosticError) -> Data {
    var bytes = Data()
    do {
      while bytes.count <= Language.largestSource {
        let missing = Language.largestSource + 1 - bytes.count
        guard let more = try handle.read(upToCount: min(missing, 1 << 20)), !more.isEmpty else { return bytes }
        bytes += more
      }
    } catch {
      throw DiagnosticError("the file cannot be read: \(error.localizedDescription)", file: path)
    }
    throw DiagnosticError(
      "the file is larger than \(Language.largestSource >> 20) MiB: it is no description of a model", file: path)
  }
}
