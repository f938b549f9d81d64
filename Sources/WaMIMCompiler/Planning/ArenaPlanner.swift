/// Places arrays with known lifetimes in as little memory as a greedy order finds.
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

  /// Places the largest requests first, each at the lowest offset where nothing else lives at the same time.
  package init(_ requests: [Request]) {
    offsets = [Int](repeating: 0, count: requests.count)
    var placed: [Int] = []
    for index in requests.indices.sorted(by: { (requests[$0].byteCount, $1) > (requests[$1].byteCount, $0) }) {
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
