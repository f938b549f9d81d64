/// Work on the ranges of a count, shared among threads.
struct ParallelRanges: Sendable {
  let threads: Int

  /// Calls `body` for ranges of at most `size` that together are `0..<count`, each once, on several threads.
  ///
  /// Ranges do not depend on the number of threads, so a result that each range writes on its own does not either.
  func run(_ count: Int, size: Int, _ body: @escaping @Sendable (Range<Int>) -> Void) throws(TrainerError) {
    let ranges = (count + size - 1) / max(1, size)
    guard threads > 1, ranges > 1 else {
      for index in 0..<ranges { body(index * size..<min(count, (index + 1) * size)) }
      return
    }
    let next = SharedCounter()
    let work: @Sendable () -> Void = {
      while case let index = next.take(), index < ranges { body(index * size..<min(count, (index + 1) * size)) }
    }
    var started: [WorkerThread] = []
    defer { for thread in started { thread.join() } }
    for index in 1..<min(threads, ranges) { started.append(try WorkerThread(name: "features \(index)", body: work)) }
    work()
  }

  /// Numbers from 0 on, each handed out once.
  private final class SharedCounter: @unchecked Sendable {
    private let lock = ThreadLock()
    private var value = 0

    func take() -> Int {
      lock.withLock {
        defer { value += 1 }
        return value
      }
    }
  }
}

/// A matrix in row-major order, for threads to read, and to write rows that no other thread touches.
package final class SharedMatrix: @unchecked Sendable {
  package let rows: Int
  package let columns: Int
  package let elements: UnsafeMutableBufferPointer<Float>

  /// A matrix of zeros.
  init(rows: Int, columns: Int) {
    (self.rows, self.columns) = (rows, columns)
    elements = .allocate(capacity: rows * columns)
    elements.initialize(repeating: 0)
  }

  package convenience init(_ values: [Float], columns: Int) {
    self.init(rows: values.count / max(1, columns), columns: columns)
    for (index, value) in zip(elements.indices, values) { elements[index] = value }
  }

  deinit {
    elements.deallocate()
  }

  package subscript(row: Int) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(rebasing: elements[row * columns..<(row + 1) * columns])
  }
}

/// Sums over rows of numbers, always in the same order.
enum RowArithmetic {
  /// The dot products of one row with four others.
  @inline(__always)
  static func dot(
    _ row: UnsafeMutableBufferPointer<Float>,
    _ a: UnsafeMutableBufferPointer<Float>, _ b: UnsafeMutableBufferPointer<Float>,
    _ c: UnsafeMutableBufferPointer<Float>, _ d: UnsafeMutableBufferPointer<Float>
  ) -> SIMD4<Float> {
    var sums = (SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero)
    let whole = row.count & ~7
    var index = 0
    while index < whole {
      let x = load(row, index)
      sums.0.addProduct(x, load(a, index))
      sums.1.addProduct(x, load(b, index))
      sums.2.addProduct(x, load(c, index))
      sums.3.addProduct(x, load(d, index))
      index += 8
    }
    var result = SIMD4(sums.0.sum(), sums.1.sum(), sums.2.sum(), sums.3.sum())
    while index < row.count {
      result.addProduct(SIMD4(repeating: row[index]), SIMD4(a[index], b[index], c[index], d[index]))
      index += 1
    }
    return result
  }

  /// The dot product of two rows.
  static func dot(_ a: UnsafeMutableBufferPointer<Float>, _ b: UnsafeMutableBufferPointer<Float>) -> Float {
    dot(a, b, b, b, b)[0]
  }

  /// Adds `scale` times `source` to `target`.
  @inline(__always)
  static func add(_ source: UnsafeMutableBufferPointer<Float>, times scale: Float, to target: UnsafeMutableBufferPointer<Float>) {
    for index in target.indices { target[index] += scale * source[index] }
  }

  @inline(__always)
  private static func load(_ row: UnsafeMutableBufferPointer<Float>, _ index: Int) -> SIMD8<Float> {
    UnsafeRawPointer(row.baseAddress.unsafelyUnwrapped + index).loadUnaligned(as: SIMD8<Float>.self)
  }
}
