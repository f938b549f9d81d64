/// From where a gzip file can be unpacked without what comes before, so that any range of it can be read.
package struct GzipIndex: Sendable, Equatable {
  /// A point between two blocks of the packed bytes.
  struct Point: Sendable, Equatable {
    /// Where the next block begins in the file: `bits` of the byte before belong to it.
    var packedOffset: Int
    var bits: Int
    /// How many bytes come before when unpacked.
    var offset: Int
    /// The last of them, which what follows refers to.
    var window: [UInt8]
  }

  /// In order; the beginning of the file is always one, and not among them.
  private(set) var points: [Point]
  /// How many bytes the file unpacks to.
  package let byteCount: Int

  init(points: [Point], byteCount: Int) {
    self.points = points
    self.byteCount = byteCount
  }

  /// Bytes that the index takes.
  var memoryByteCount: Int { points.reduce(0) { $0 + MemoryLayout<Point>.stride + $1.window.count } }

  /// The last point that is not behind `offset`; nil for the beginning of the file.
  func point(before offset: Int) -> Point? {
    let after = points.partitioningIndex { $0.offset > offset }
    return after == 0 ? nil : points[after - 1]
  }

  /// Keeps every second point.
  mutating func thin() {
    points = points.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
  }

  /// Unpacks all of `file` once, and keeps a point about every `spacing` bytes.
  ///
  /// - Returns: The index, as far as the file can be unpacked, and what is wrong with it.
  package static func of(_ file: OpenFile, spacing: Int) throws(TrainerError) -> (index: GzipIndex, damage: String?) {
    let unpacking = try GzipUnpacking(file)
    var points: [Point] = []
    while try unpacking.skip() {
      if unpacking.offset - (points.last?.offset ?? 0) >= spacing, let point = unpacking.point() { points.append(point) }
    }
    return (GzipIndex(points: points, byteCount: unpacking.offset), unpacking.damage)
  }
}

extension Array {
  /// The index of the first element that `isAfter` holds for, which has to hold for all that follow it; the count where there is none.
  fileprivate func partitioningIndex(where isAfter: (Element) -> Bool) -> Int {
    var range = 0..<count
    while !range.isEmpty {
      let middle = (range.lowerBound + range.upperBound) / 2
      range = isAfter(self[middle]) ? range.lowerBound..<middle : middle + 1..<range.upperBound
    }
    return range.lowerBound
  }
}

/// What a gzip file unpacks to; to be used by one thread at a time, and quickest from front to back.
package final class GzipReader: StoredBytes {
  package var path: String { file.path }
  package var byteCount: Int { index.byteCount }

  private let file: OpenFile
  private let index: GzipIndex
  private var unpacking: GzipUnpacking?

  package init(_ file: OpenFile, index: GzipIndex) {
    self.file = file
    self.index = index
  }

  package func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws(TrainerError) {
    let point = index.point(before: offset)
    let current: GzipUnpacking
    if let unpacking, unpacking.offset <= offset, unpacking.offset >= point?.offset ?? 0 {
      current = unpacking
    } else {
      current = try GzipUnpacking(file, from: point)
      unpacking = current
    }
    guard try current.read(into: target, at: offset) else {
      unpacking = nil
      throw TrainerError("cannot read \(path): \(current.damage ?? "it ended while it was being read")")
    }
  }
}
