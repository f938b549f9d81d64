import Glibc
import Synchronization

/// Standard output and standard error, written without buffers so that lines appear when they are made.
package enum Console {
  /// Whether only failures are told, as another process of the run tells the rest.
  private static let staysQuiet = Atomic<Bool>(false)

  /// Tells only failures from now on.
  package static func beQuiet() { staysQuiet.store(true, ordering: .relaxed) }

  private static var isQuiet: Bool { staysQuiet.load(ordering: .relaxed) }

  /// Writes `text` and a line break to standard output.
  package static func print(_ text: String) {
    write(text + "\n")
  }

  /// Writes `text` to standard output as it is.
  package static func write(_ text: String) {
    if !isQuiet { write(text, to: STDOUT_FILENO) }
  }

  /// Writes a line that starts with `warning:` to standard error.
  package static func warn(_ text: String) {
    if !isQuiet { write("warning: \(text)\n", to: STDERR_FILENO) }
  }

  /// Writes a line that starts with `error:` to standard error.
  package static func fail(_ text: String) {
    write("error: \(text)\n", to: STDERR_FILENO)
  }

  /// Whether a person watches standard output.
  package static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// Characters of a line on the terminal, or nil where there is none.
  package static var terminalWidth: Int? {
    var size = winsize()
    guard isTerminal, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// Writes all of `text`; what the other end no longer reads is lost without complaint.
  package static func write(_ text: String, to file: Int32) {
    var text = text
    text.withUTF8 { bytes in
      var written = 0
      while written < bytes.count {
        guard let base = bytes.baseAddress else { return }
        let count = Glibc.write(file, base + written, bytes.count - written)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return }
        written += count
      }
    }
  }
}
