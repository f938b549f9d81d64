import Glibc

/// Classification by the nearest neighbours in a training set, as DINO weighs their votes (Caron et al., arXiv 2104.14294, `eval_knn.py`).
///
/// Features are brought to unit length. The `k` training images of the largest cosine similarity s vote for their class, each with
/// exp(s / 0.07); of equal similarities the earlier image comes first.
package struct NearestNeighbours: Sendable {
  private static let temperature: Float = 0.07
  /// Images to classify that share a pass over the training set.
  private static let block = 32

  private let train: SharedMatrix
  private let labels: [Int32]
  private let classes: Int
  private let ranges: ParallelRanges

  /// - Parameter train: Its labels are below `classes`.
  package init(_ train: FeatureTable, classes: Int, threads: Int) throws(TrainerError) {
    ranges = ParallelRanges(threads: threads)
    self.train = try Self.normalized(train, ranges)
    labels = train.labels
    self.classes = classes
  }

  /// The votes for each class, a row [classes] for each of `test` and each of `neighbours`, the numbers of neighbours that vote.
  package func votes(_ test: FeatureTable, neighbours: [Int]) throws(TrainerError) -> [[Float]] {
    let rows = try Self.normalized(test, ranges)
    let most = min(train.rows, neighbours.max() ?? 0)
    let votes = neighbours.map { _ in SharedMatrix(rows: rows.rows, columns: classes) }
    try ranges.run(rows.rows, size: Self.block) { [train, labels] range in
      var nearest = range.map { _ in Nearest(capacity: most) }
      for start in stride(from: 0, to: train.rows, by: 4) {
        let others = (0..<4).map { min(start + $0, train.rows - 1) }
        for (index, row) in range.enumerated() {
          let s = RowArithmetic.dot(rows[row], train[others[0]], train[others[1]], train[others[2]], train[others[3]])
          for lane in 0..<min(4, train.rows - start) { nearest[index].add(s[lane], image: Int32(start + lane)) }
        }
      }
      for (index, row) in range.enumerated() {
        for (rank, neighbour) in nearest[index].sorted().enumerated() {
          let vote = exp(neighbour.similarity / Self.temperature)
          for (k, table) in zip(neighbours, votes) where rank < k { table[row][Int(labels[Int(neighbour.image)])] += vote }
        }
      }
    }
    return votes.map { Array($0.elements) }
  }

  private static func normalized(_ table: FeatureTable, _ ranges: ParallelRanges) throws(TrainerError) -> SharedMatrix {
    let matrix = SharedMatrix(table.values, columns: table.width)
    try ranges.run(matrix.rows, size: 256) { range in
      for row in range.map({ matrix[$0] }) {
        // As PyTorch's normalize: no length divides by 0.
        let scale = 1 / max(RowArithmetic.dot(row, row).squareRoot(), 1e-12)
        for index in row.indices { row[index] *= scale }
      }
    }
    return matrix
  }
}

/// The nearest images so far: a heap with the farthest of them on top.
private struct Nearest {
  struct Neighbour {
    var similarity: Float
    var image: Int32

    /// Whether this one is to be preferred.
    func isNearer(than other: Neighbour) -> Bool {
      similarity > other.similarity || (similarity == other.similarity && image < other.image)
    }
  }

  private var heap: [Neighbour] = []
  private let capacity: Int

  init(capacity: Int) {
    self.capacity = capacity
    heap.reserveCapacity(capacity)
  }

  @inline(__always)
  mutating func add(_ similarity: Float, image: Int32) {
    // Images come in ascending order, so an equal one that comes later is farther.
    if heap.count == capacity, let top = heap.first, !(similarity > top.similarity) { return }
    insert(Neighbour(similarity: similarity, image: image))
  }

  private mutating func insert(_ neighbour: Neighbour) {
    if heap.count < capacity {
      heap.append(neighbour)
      var index = heap.count - 1
      while index > 0, heap[(index - 1) / 2].isNearer(than: heap[index]) {
        heap.swapAt(index, (index - 1) / 2)
        index = (index - 1) / 2
      }
      return
    }
    guard !heap.isEmpty else { return }
    heap[0] = neighbour
    var index = 0
    while true {
      var farthest = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[farthest].isNearer(than: heap[child]) {
        farthest = child
      }
      if farthest == index { return }
      heap.swapAt(index, farthest)
      index = farthest
    }
  }

  /// The neighbours, the nearest first.
  func sorted() -> [Neighbour] { heap.sorted { $0.isNearer(than: $1) } }
}
