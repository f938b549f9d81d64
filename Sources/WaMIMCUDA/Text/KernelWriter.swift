import WaMIMCompiler
import WaMIMTypes

/// Writes the functions of one kernel.
///
/// Arguments are called `a0`, `a1` and so on, the loops over rows `i0`, `i1` and so on, the column `c`.
struct KernelWriter {
  let kernel: Kernel
  let units: Int
  /// How many such kernels run at the same time.
  let copies: Int
  let workspace: WorkspaceLayout
  let architecture: GPUArchitecture
  /// The number of the tile with which warp groups multiply whatever they can, if they shall.
  let warpGroupTile: Int?

  /// Threads in most blocks.
  static let threads = 256

  /// The functions, in the order in which they are launched.
  func functions() -> [CUDAFunction] {
    switch kernel.body {
    case .rows(let rows): [function(of: keepingRowsApart(rows), purpose: "rows")]
    case .columns(let columns): [function(of: columns)]
    case .matmul(let matmul): functions(of: matmul)
    case .attention(let attention): [function(of: attention)]
    case .attentionGradient(let gradient): functions(of: gradient)
    case .groupAttention(let attention): [function(of: attention)]
    case .groupAttentionGradient(let gradient): functions(of: gradient)
    case .index(let index): [function(of: index)]
    case .wavelet(let wavelet): [function(of: wavelet)]
    case .sequence(let sequence): [function(of: sequence)]
    // A writer for all of them together takes the functions of each.
    case .parallel: []
    }
  }

  /// A function whose body `write` writes.
  func function(
    _ purpose: String, blocks: Int, threads: Int = KernelWriter.threads, usesTensorCores: Bool = false,
    _ write: (inout SourceText) -> Void
  ) -> CUDAFunction {
    var source = SourceText()
    write(&source)
    return CUDAFunction(
      purpose: purpose, blocks: blocks, threads: threads, usesTensorCores: usesTensorCores, shared: source.shared, body: source.text
    )
  }

  /// Loops over rows that are worked on at the same time.
  func keepingRowsApart(_ rows: RowKernel) -> RowKernel {
    rows.keepingRowsApart(in: kernel.arguments.firstIndex { $0.access == .workspace }, from: workspace.kept)
  }

  /// The kernel's arguments as CUDA declares pointers.
  static func pointers(of kernel: Kernel) -> [String] {
    kernel.arguments.enumerated().map { index, argument in "\(argument.pointer) a\(index)" }
  }
}

extension KernelArgument {
  /// The type of a pointer to it in CUDA C++, and of what it points to.
  var pointer: String { "\(pointee)*" }
  var pointee: String { "\(access == .read ? "const " : "")\(element.cuda)" }
}

extension ElementType {
  /// The type's name in CUDA C++.
  var cuda: String {
    switch self {
    case .float32: "float"
    case .bfloat16: "bf16"
    case .int32: "int"
    }
  }
}

// MARK: Elements

extension KernelWriter {
  /// The index of an element of an argument.
  func index(_ access: Access, _ loops: [String]) -> String {
    let plain = affine(access.offset, access.strides, loops)
    guard let pick = access.pick else { return plain }
    return plain + " + \(pick.stride) * a\(pick.argument)[\(affine(pick.offset, pick.strides, loops))]"
  }

  /// An element as a number.
  func load(_ access: Access, _ loops: [String]) -> String {
    number(access.argument, "a\(access.argument)[\(index(access, loops))]")
  }

  /// `element` of an argument as a number.
  func number(_ argument: Int, _ element: String) -> String {
    kernel.arguments[argument].element == .float32 ? element : "number(\(element))"
  }

  /// The statement that stores the number `value`.
  func store(_ value: String, _ access: Access, _ loops: [String]) -> String {
    let element = "a\(access.argument)[\(index(access, loops))]"
    return "\(element) = \(converted(value, for: access.argument));"
  }

  /// The number `value` as an element of an argument.
  func converted(_ value: String, for argument: Int) -> String {
    switch kernel.arguments[argument].element {
    case .float32: value
    case .bfloat16: "rounded_to_bf16(\(value))"
    case .int32: "rounded_to_int(\(value))"
    }
  }
}

// MARK: Expressions

extension KernelWriter {
  /// Writes instructions as constants `x0`, `x1` and so on.
  ///
  /// - Parameter replacing: What a load is, where it is known without loading.
  func write(
    _ instructions: [Instruction], _ loops: [String], to source: inout SourceText, replacing: (Access) -> String? = { _ in nil }
  ) {
    for (number, instruction) in instructions.enumerated() {
      let value: String =
        switch instruction {
        case .load(let access): replacing(access) ?? load(access, loops)
        case .constant(let value): value.cuda
        case .scalar(let slot): "s\(slot)"
        case .unary(let function, let operand): function.cuda("x\(operand)")
        case .binary(let function, let left, let right): function.cuda("x\(left)", "x\(right)")
        case .rounded(let operand): "number(rounded_to_bf16(x\(operand)))"
        }
      source.line("const float x\(number) = \(value);")
    }
  }

  /// Writes the loops' indices, of which `index` counts all together, the last one fastest.
  func writeIndices(_ names: [String], of index: String, extents: [Int], to source: inout SourceText) {
    var divisor = 1
    var lines: [String] = []
    for (loop, name) in names.enumerated().reversed() {
      let quotient = divisor == 1 ? index : "\(index) / \(divisor)"
      lines.append("const int \(name) = \(loop == 0 ? quotient : "\(quotient) % \(extents[loop])");")
      divisor *= extents[loop]
    }
    for line in lines.reversed() { source.line(line) }
  }
}
