/// Lays out arrays with known lifetimes in as little memory as greedy orders find.
package struct ArenaPlanner {
  /// Something that needs memory for a while.
  package struct Request {
    package var byteCount: Int
    package var live: ClosedRange<Int>

    package init(byteCount: Int, live: ClosedRange<Int>) {
      self.byteCount = byteCount
      self.live = live
    }
  }

  /// Every array starts at a multiple of this, a cache line, so that vectors do not straddle two.
  package static let alignment = 64

  /// Bytes from the start of the memory, for each request.
  package private(set) var offsets: [Int]
  /// Bytes in all.
  package private(set) var byteCount = 0

  /// Lays out `requests` in the best of a few orders.
  ///
  /// Which of them leaves the fewest gaps depends on the model; the largest arrays first is good for most.
  package init(_ requests: [Request]) {
    let orders: [(Request) -> (Int, Int)] = [
      { ($0.byteCount, $0.live.count) }, { ($0.live.count, $0.byteCount) }, { ($0.byteCount * $0.live.count, $0.byteCount) },
      { (-$0.live.lowerBound, $0.byteCount) }, { ($0.live.upperBound, $0.byteCount) },
    ]
    let plans = orders.map { size in
      let sizes = requests.map(size)
      return ArenaPlanner(requests, order: requests.indices.sorted { sizes[$0] == sizes[$1] ? $0 < $1 : sizes[$0] > sizes[$1] })
    }
    self = plans.min { $0.byteCount < $1.byteCount } ?? plans[0]
  }

  /// Lays out one request after the other, each at the lowest offset where nothing else lives at the same time.
  private init(_ requests: [Request], order: [Int]) {
    offsets = [Int](repeating: 0, count: requests.count)
    var placed: [Int] = []
    for index in order {
      let request = requests[index]
      let neighbours = placed.filter { requests[$0].live.overlaps(request.live) }.sorted { offsets[$0] < offsets[$1] }
      var offset = 0
      for neighbour in neighbours {
        if offset + request.byteCount <= offsets[neighbour] { break }
        offset = max(offset, ArenaPlanner.aligned(offsets[neighbour] + requests[neighbour].byteCount))
      }
      offsets[index] = offset
      byteCount = max(byteCount, ArenaPlanner.aligned(offset + request.byteCount))
      placed.append(index)
    }
  }

  /// `byteCount` rounded up to the alignment.
  static func aligned(_ byteCount: Int) -> Int {
    (byteCount + alignment - 1) / alignment * alignment
  }
}
