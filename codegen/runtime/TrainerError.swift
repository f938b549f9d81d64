/// What went wrong, told to the person who can put it right: what, where, and what to do.
package struct TrainerError: Error, CustomStringConvertible, Equatable {
  /// One or more sentences without a full stop at the end.
  package let message: String
  /// Whether the machine failed, or had too little of something, so that what was asked for may be sound and succeed at another time.
  package let isSystemFailure: Bool

  package init(_ message: String) {
    self.message = message
    isSystemFailure = false
  }

  /// - Parameter code: The operating system's number of the error.
  package init(_ message: String, code: Int32) {
    self.message = message
    isSystemFailure = SystemFailure.codes.contains(code)
  }

  package var description: String { message }
}
