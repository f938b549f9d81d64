import WaMIMCompiler

/// A CUDA function, and how many threads it is launched with.
package struct CUDAFunction: Sendable {
  /// An array of 4-byte elements in shared memory.
  struct SharedArray: Sendable {
    /// The elements' type in CUDA C++.
    var element: String
    var name: String
    var extents: [Int]

    var byteCount: Int { extents.reduce(4, *) }

    private var dimensions: String { extents.map { "[\($0)]" }.joined() }

    /// The array by itself.
    var declaration: String { "__shared__ ALIGNED(16) \(element) \(name)\(dimensions);" }

    /// The array at byte `offset` of other shared memory.
    func declaration(in memory: String, at offset: Int) -> String {
      "\(element) (&\(name))\(dimensions) = *(\(element) (*)\(dimensions))(\(memory) + \(offset));"
    }
  }

  /// What it does, as the end of its name.
  package var purpose: String
  /// Blocks in a launch, and threads in a block.
  package var blocks: Int
  package var threads: Int
  /// Bytes of shared memory that a block has beside what the body names.
  package var sharedBytes = 0
  /// Blocks that a processor shall have registers for, where the compiler might take too few for more of them.
  var residentBlocks: Int?
  /// Parameters behind the kernel's arguments.
  package var tensorMaps: [DeviceCode.TensorMap] = []
  /// Whether its products run on tensor cores.
  package var usesTensorCores = false
  /// Whether it goes on with products while they are in registers.
  var hasEpilogue = false
  /// Columns of the tiles that warp groups multiply, if they do.
  var groupColumns: Int?
  /// The addresses that it takes as one table; nil where it takes each as a parameter of its own.
  var addressCount: Int?
  /// What lies in shared memory besides what the body declares.
  var shared: [SharedArray] = []
  /// The statements of its body, in which `block` is the number of the block, but where a table is taken.
  package var body: String

  /// What stands in the body for the function's name, which is not known while it is written.
  static let namePlaceholder = "$name"

  /// The launch in dumps.
  var launch: String { "\(purpose) <<<\(blocks), \(threads)>>>" }

  /// The parameters as CUDA C++ declares them.
  ///
  /// - Parameter kernel: The kernel whose arguments they are.
  func parameters(of kernel: Kernel) -> String {
    if let addressCount { return "const Addresses<\(addressCount)> addresses" }
    let maps = tensorMaps.indices.map { "const TensorMap map\($0)" }
    return (KernelWriter.pointers(of: kernel) + maps).joined(separator: ", ")
  }

  /// All statements.
  var statements: String {
    guard addressCount == nil else { return body }
    return (["const unsigned block = blockIdx.x;"] + shared.map(\.declaration)).map { "  \($0)\n" }.joined() + body
  }
}
