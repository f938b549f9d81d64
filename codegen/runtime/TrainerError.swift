/// What went wrong, told to the person who can put it right: what, where, and what to do.
package struct TrainerError: Error, CustomStringConvertible, Equatable {
  /// One or more sentences without a full stop at the end.
  package let message: String

  package init(_ message: String) {
    self.message = message
  }

  package var description: String { message }
}
