/// Rows of a product's left side and of its result: equal runs of them, or one.
struct ProductRows {
  var runs: Value
  var rowsPerRun: Value
  /// Elements from one run to the next.
  var leftStride = 0
  var resultStride = 0

  /// Whether all rows lie one after the other.
  var isOneRun: Bool { leftStride == 0 && resultStride == 0 }
}
