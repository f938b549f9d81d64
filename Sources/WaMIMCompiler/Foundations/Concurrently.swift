import Dispatch
import Synchronization

/// What `body` makes of each element, in their order; as many are worked on at a time as there are processors.
package func concurrently<Element: Sendable, Result: Sendable>(
  _ elements: [Element], _ body: @Sendable (Element) throws -> Result
) throws -> [Result] {
  let results = Mutex<[Int: Swift.Result<Result, any Error>]>([:])
  DispatchQueue.concurrentPerform(iterations: elements.count) { index in
    let result = Swift.Result { try body(elements[index]) }
    results.withLock { $0[index] = result }
  }
  return try results.withLock { results in try elements.indices.compactMap { try results[$0]?.get() } }
}
