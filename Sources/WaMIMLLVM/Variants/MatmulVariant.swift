import WaMIMCompiler
import WaMIMGraph

/// How a matmul is carried out: by which instructions, how many rows at a time, and with how much workspace.
struct MatmulVariant: Hashable, Sendable {
  /// What multiplies.
  enum Method: Hashable, Sendable {
    /// A microkernel of vector instructions.
    case vectors
    /// AMX, which multiplies bf16 numbers: a float32 one is split into three.
    case amx
    /// OpenBLAS, which brings its own workspace.
    case openBLAS
  }

  let method: Method
  /// What the factors are of.
  let factor: ElementType
  /// What the factors are when vectors multiply them.
  let form: PanelForm
  /// How many blocks a unit's rows are taken in where the result is cut by rows, and the rows of each but the last; 1 block elsewhere.
  let blocks: Int
  let blockRows: Int
  /// About as many rows as one product has, and the rows that it has at most.
  let expectedRows: Int
  let mostRows: Int
  /// Elements that copies of both sides take.
  let workspace: Int

  init(_ matmul: MatmulKernel, from source: MatmulSource, on instructions: InstructionSet) {
    let generated = MatmulVariant.generatedMethod(of: matmul, on: instructions)
    factor = matmul.factor
    form = PanelForm(matmul, on: instructions)
    method = source == .openBLAS && matmul.factor == .float32 ? .openBLAS : generated
    switch matmul.partition {
    case .samples, .products:
      (blocks, blockRows, mostRows) = (1, matmul.m, matmul.m)
      expectedRows = matmul.expectedRows
    case .rows(let block):
      // AMX takes a unit's rows as one block, since the right side is copied for each. Vectors read copies of the left side again and
      // again, and those of fewer rows are deeper where they fill the L2 cache.
      blocks = generated == .amx ? 1 : (block + MatmulTiling.mostBlockRows - 1) / MatmulTiling.mostBlockRows
      blockRows = (block + blocks - 1) / blocks
      (expectedRows, mostRows) = (blockRows, blockRows)
    }
    workspace =
      switch method {
      case .vectors: PanelLayout(matmul, expectedRows: expectedRows, mostRows: mostRows, on: instructions).count
      case .amx: AMXLayout(AMXTiling(factor: matmul.factor), k: matmul.k, mostRows: mostRows).count
      case .openBLAS: 0
      }
  }

  /// What generated code multiplies with: AMX, where the processor has it and it takes less time than vectors by estimate.
  ///
  /// Nothing else decides that.
  private static func generatedMethod(of matmul: MatmulKernel, on instructions: InstructionSet) -> Method {
    guard instructions.matrix != nil else { return .vectors }
    let product = MatmulProduct(matmul, runs: 1, rows: matmul.expectedRows, expectedRows: matmul.expectedRows)
    return product.amxCycles() < product.vectorCycles(instructions) ? .amx : .vectors
  }

  /// What dumps call it.
  func name(_ instructions: InstructionSet) -> String {
    switch method {
    case .vectors:
      "\(instructions.name) \(instructions.matmul.rows[0])x\(instructions.matmul.vectors * instructions.lanes)" + form.suffix
        + (blocks > 1 ? ", blocks of \(blockRows) rows" : "")
    case .amx: AMXTiling(factor: factor).splits > 1 ? "amx bf16×\(AMXTiling(factor: factor).splits)" : "amx bf16"
    case .openBLAS: "openblas"
    }
  }
}

extension MatmulKernel {
  /// About as many rows as one product has that is not cut further.
  fileprivate var expectedRows: Int {
    switch partition {
    case .samples(let rows): min(max(rows, LLVMBackend.cpuChunking.rows), m)
    case .products: m
    case .rows(let block): block
    }
  }
}
