import WaMIMCompiler
import WaMIMLLVM

/// The arrays that a kernel is run on, one after the other in one memory.
///
/// Workspace, which is as long as the kernel says whatever its array is, and each array's surroundings are filled with what is not a
/// number.
struct KernelMemory {
  /// The arrays and what surrounds them, as bit patterns.
  var words: [UInt32] = []
  /// The word with which each argument begins.
  private(set) var starts: [Int] = []
  private let kernel: Kernel
  private let counts: [Int]

  /// Words around each array.
  private static let guardCount = 64
  /// A signalling bit pattern that no computation produces.
  private static let poison: UInt32 = 0x7FA0_DEAD

  init(_ arrays: [[Float]], of kernel: Kernel) {
    self.kernel = kernel
    counts = zip(kernel.arguments, arrays).map { $0.access == .workspace ? $0.count : $1.count }
    for (argument, array) in zip(kernel.arguments, arrays) {
      words += [UInt32](repeating: Self.poison, count: Self.guardCount)
      starts.append(words.count)
      guard argument.access != .workspace else {
        words += [UInt32](repeating: Self.poison, count: argument.count)
        continue
      }
      switch argument.element {
      case .float32: words += array.map(\.bitPattern)
      case .int32: words += array.map { UInt32(bitPattern: Int32($0)) }
      case .bfloat16:
        let halves = array.map { $0.bitPattern >> 16 } + [Self.poison >> 16]
        words += stride(from: 0, to: array.count, by: 2).map { halves[$0] | halves[$0 + 1] << 16 }
      }
    }
    words += [UInt32](repeating: Self.poison, count: Self.guardCount)
  }

  /// Elements of the workspace up to the last one that is not as it was before.
  var usedWorkspace: Int {
    guard let argument = kernel.arguments.firstIndex(where: { $0.access == .workspace }) else { return 0 }
    let start = starts[argument]
    return (words[start..<start + counts[argument]].lastIndex { $0 != Self.poison } ?? start - 1) - start + 1
  }

  /// What the arrays hold, but those that are workspace, which stay as they were.
  ///
  /// - Throws: An error where anything around them has changed.
  func read(into arrays: inout [[Float]]) throws {
    var end = 0
    for (position, argument) in kernel.arguments.enumerated() {
      guard words[end..<starts[position]].allSatisfy({ $0 == Self.poison }) else {
        throw BackendError("A kernel wrote outside argument \(position).")
      }
      let count = counts[position]
      end = starts[position] + (count * argument.element.byteCount + 3) / 4
      guard argument.access != .workspace else { continue }
      let array = words[starts[position]..<end]
      switch argument.element {
      case .float32: arrays[position] = array.map { Float(bitPattern: $0) }
      case .int32: arrays[position] = array.map { Float(Int32(bitPattern: $0)) }
      case .bfloat16:
        let halves = array.flatMap { [$0 << 16, $0 & 0xFFFF_0000] }
        guard count.isMultiple(of: 2) || halves[count] == Self.poison & 0xFFFF_0000 else {
          throw BackendError("A kernel wrote behind argument \(position).")
        }
        arrays[position] = halves.prefix(count).map { Float(bitPattern: $0) }
      }
    }
    guard words[end...].allSatisfy({ $0 == Self.poison }) else {
      throw BackendError("A kernel wrote behind its last argument.")
    }
  }
}
