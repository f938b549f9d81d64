/// What went wrong, told to the person who can put it right: what, where, and what to do.
package struct TrainerError: Error, CustomStringConvertible, Equatable {
  /// One or more sentences without a full stop at the end.
  package let message: String
  /// Whether the machine failed, or had too little of something, so that what was asked for may be sound and succeed at another time.
  package let isSystemFailure: Bool

  /// Whether a GPU or its driver failed.
  package let isDeviceFailure: Bool

  package init(_ message: String) {
    self.message = message
    isSystemFailure = false
    isDeviceFailure = false
  }

  /// Says what a GPU or its driver failed to do.
  package init(deviceFailure message: String) {
    self.message = message
    isSystemFailure = true
    isDeviceFailure = true
  }

  /// - Parameter code: The operating system's number of the error.
  package init(_ message: String, code: Int32) {
    self.message = message
    isSystemFailure = SystemFailure.codes.contains(code)
    isDeviceFailure = false
  }

  /// Ends this process as failed where another rank of the run has said why.
  package static let toldElsewhere = TrainerError("")

  package var description: String { message }
}
