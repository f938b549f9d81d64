/// Words of a command line that can be pasted into a shell.
enum ShellWord {
  /// `word`, within quotation marks where the shell would otherwise take it apart.
  static func quoted(_ word: String) -> String {
    let plain = word.unicodeScalars.allSatisfy {
      $0.properties.isAlphabetic || ("0"..."9").contains($0) || "/._-:=+".unicodeScalars.contains($0)
    }
    return plain && !word.isEmpty
      ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
