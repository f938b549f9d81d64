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
  /// The addresses that it takes as one table, with its tensor maps behind them; nil where each is a parameter of its own.
  package var addressCount: Int?
  /// What lies in shared memory besides what the body declares.
  var shared: [SharedArray] = []
  /// The statements of its body, in which `block` is the number of the block, but where a table is taken.
  package var body: String

  /// What stands in the body for the function's name, which is not known while it is written.
  private static let namePlaceholder = "$name"
  /// What stands there for the address of a tensor map.
  static func mapPlaceholder(_ number: Int) -> String { "$map(\(number))" }

  /// The address of a parameter, or of byte `offset` in it.
  static func addressOfParameter(_ number: Int, offset: String? = nil) -> String {
    "ADDRESS_OF_PARAMETER(\"\(namePlaceholder)_param_\(number)\")" + (offset.map { " + \($0)" } ?? "")
  }

  /// The launch in dumps.
  var launch: String { "\(purpose) <<<\(blocks), \(threads)>>>" }

  /// Address number `index` of the table that it takes, as a pointer to `type`.
  static func address(_ type: String, inTableAt index: String) -> String {
    "ADDRESS(\(type), \"\(namePlaceholder)_param_0\", \(index))"
  }

  /// The parameters as CUDA C++ declares them.
  ///
  /// - Parameter kernel: The kernel whose arguments they are.
  func parameters(of kernel: Kernel) -> String {
    if let addressCount {
      let table = tensorMaps.isEmpty ? "Addresses<\(addressCount)>" : "AddressesAndMaps<\(addressCount), \(tensorMaps.count)>"
      return "const \(table) addresses"
    }
    let maps = tensorMaps.indices.map { "const TensorMap map\($0)" }
    return (KernelWriter.pointers(of: kernel) + maps).joined(separator: ", ")
  }

  /// All statements of the function called `name`.
  ///
  /// - Parameter kernel: The kernel whose arguments it takes.
  func statements(of kernel: Kernel, name: String) -> String {
    let all =
      addressCount == nil
      ? (["const unsigned block = blockIdx.x;"] + shared.map(\.declaration)).map { "  \($0)\n" }.joined() + body : body
    return bodyReplacingMaps(in: all) { Self.addressOfParameter(kernel.arguments.count + $0) }
      .replacing(Self.namePlaceholder, with: name)
  }

  /// Some of the body, with the address of each tensor map.
  func bodyReplacingMaps(in text: String, by address: (Int) -> String) -> String {
    tensorMaps.indices.reduce(text) { $0.replacing(Self.mapPlaceholder($1), with: address($1)) }
  }
}
