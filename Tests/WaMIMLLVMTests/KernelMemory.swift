import WaMIMCompiler
import WaMIMLLVM

/// The arrays that a kernel is run on, one after the other in one memory.
///
/// Workspace and each array's surroundings are filled with what is not a number.
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
    counts = arrays.map(\.count)
    for (argument, array) in zip(kernel.arguments, arrays) {
      words += [UInt32](repeating: Self.poison, count: Self.guardCount)
      starts.append(words.count)
      words += array.map { number in
        guard argument.access != .workspace else { return Self.poison }
        return argument.element == .float32 ? number.bitPattern : UInt32(bitPattern: Int32(number))
      }
    }
    words += [UInt32](repeating: Self.poison, count: Self.guardCount)
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
      end = starts[position] + counts[position]
      guard argument.access != .workspace else { continue }
      arrays[position] = words[starts[position]..<end].map {
        argument.element == .float32 ? Float(bitPattern: $0) : Float(Int32(bitPattern: $0))
      }
    }
    guard words[end...].allSatisfy({ $0 == Self.poison }) else {
      throw BackendError("A kernel wrote behind its last argument.")
    }
  }
}
