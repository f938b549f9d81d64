import WaMIMCompiler

/// The backend for NVIDIA's GPUs: every kernel becomes one or more CUDA functions.
public struct CUDABackend: Backend {
  /// What code is made for, the first one being what dumps show.
  public let architectures: [GPUArchitecture]
  /// Whether nothing was asked for, so that code is left out which is no better than another one.
  let isUsual: Bool
  /// The number of the tile with which warp groups multiply whatever they can, for tests; what ends first otherwise.
  package var warpGroupTile: Int?
  /// All units of a group are one chunk: the device cuts the work itself, and scratch memory holds whole arrays.
  public let chunking = Chunking(rows: 1 << 40, least: 1, bytes: 1 << 60)

  /// A launch takes 4 KiB of parameters, in words of 8 bytes; tensor maps among them begin at multiples of 64 bytes.
  public let parallelArguments = 512
  public let makesCallsInTurn = true
  public let sumsBesideProducts = true
  public let samplesScatteredTogether = 16

  /// A backend for some architectures: where none is asked for, for Ampere and all that came later, and apart for Hopper if its kernels
  /// differ.
  public init(architectures: [GPUArchitecture] = []) {
    self.architectures = architectures.isEmpty ? GPUArchitecture.usual : architectures
    isUsual = architectures.isEmpty
  }

  public func variant(of kernel: Kernel, units: Int) -> Variant {
    if case .parallel(let parallel) = kernel.body { return variant(of: parallel, arguments: kernel.arguments) }
    let layout = WorkspaceLayout(kernel, units: units)
    var variant = Variant(name: "cuda", block: kernel.wholeResult?.extent, workspace: layout.variantCount)
    let (whole, units) = kernel.adopting(variant, units: units)
    let writers = architectures.map { writer(of: whole, units: units, workspace: layout, for: $0) }
    let images = writers.map { $0.functions() }
    let mostElements = whole.arguments.map { $0.whole(units: units).count }.max() ?? 0
    variant.take(CUDAPlan(product: ProductShape(whole, units: units), mostElements: mostElements, images: images))
    let companions = Set(images.map { whole.companions(launchedBy: $0, units: units) })
    variant.companions = companions.count == 1 ? companions.first ?? nil : nil
    variant.furtherArguments = DeviceCode.TensorMap.wordCount * (writers.map(\.mostTensorMaps).max() ?? 0)
    return variant
  }

  private func writer(
    of kernel: Kernel, units: Int, copies: Int = 1, workspace: WorkspaceLayout, for architecture: GPUArchitecture
  ) -> KernelWriter {
    KernelWriter(
      kernel: kernel, units: units, copies: copies, workspace: workspace, architecture: architecture, warpGroupTile: warpGroupTile)
  }

  /// All kernels in one launch, or in as many as each of them takes.
  private func variant(of parallel: ParallelKernel, arguments: [KernelArgument]) -> Variant {
    var variant = Variant(name: "cuda")
    let images = architectures.map { architecture in
      let functions = parallel.groups.map { group in
        let workspace = WorkspaceLayout(group.kernel, units: group.units)
        return writer(of: group.kernel, units: group.units, copies: group.count, workspace: workspace, for: architecture)
          .functions()
      }
      return (0..<(functions.map(\.count).max() ?? 0)).map { launch in
        let groups = zip(parallel.groups, functions).compactMap { kernels, functions in
          functions.indices.contains(launch) ? ParallelWriter.Group(kernels: kernels, function: functions[launch]) : nil
        }
        return ParallelWriter(groups: groups, addressCount: arguments.count).function()
      }
    }
    var product = parallel.groups.first.flatMap { ProductShape($0.kernel, units: $0.units) }
    product?.products *= parallel.groups[0].count
    variant.take(CUDAPlan(product: product, mostElements: arguments.map(\.count).max() ?? 0, images: images))
    return variant
  }
}

/// How a kernel is carried out: functions launched one after the other.
package struct CUDAPlan: Sendable {
  /// The shape of its products, if it makes any.
  var product: ProductShape?
  /// Elements of its longest array, from the first unit to the last.
  var mostElements: Int
  /// For each of the backend's architectures.
  package var images: [[CUDAFunction]]

  /// For the first architecture.
  package var functions: [CUDAFunction] { images.first ?? [] }
}

extension Variant {
  /// Makes this the variant that is carried out as `plan` says.
  fileprivate mutating func take(_ plan: CUDAPlan) {
    self.plan = plan
    name = plan.functions.map(\.launch).joined(separator: ", ")
  }
}

/// How the workspace is shared: what the kernel keeps there, then what the functions use.
struct WorkspaceLayout {
  /// Elements that the kernel itself keeps, rounded up as planning does.
  var kept: Int
  /// Elements of one unit, where units have a workspace each.
  var unitCount: Int
  /// Elements behind those of the kernel.
  var variantCount: Int

  /// Elements that each part is rounded up to.
  static let alignment = 16

  private static func rounded(_ count: Int) -> Int { count.roundedUp(to: alignment) }

  init(_ kernel: Kernel, units: Int) {
    let argument = kernel.arguments.firstIndex { $0.access == .workspace }
    kept = Self.rounded(argument.map { kernel.arguments[$0].count } ?? 0)
    switch kernel.body {
    case .wavelet(let wavelet):
      unitCount = Self.rounded(wavelet.intermediateCount)
      variantCount = units * unitCount
    case .sequence(let sequence):
      // Units run at the same time, so each has a workspace of its own.
      unitCount = kept + Self.rounded(sequence.intermediateCount)
      variantCount = units * unitCount - kept
    case .attentionGradient(let gradient):
      let shape = gradient.shape
      unitCount = RowStatistics.count * shape.heads * shape.queryCount
      variantCount = units * unitCount
    case .groupAttentionGradient(let gradient):
      let shape = gradient.attention.shape
      unitCount = RowStatistics.count * shape.heads * shape.tokenCount
      variantCount = units * unitCount
    case .rows(let rows): (unitCount, variantCount) = (0, rows.keptCount(in: argument))
    case .matmul(let matmul): (unitCount, variantCount) = (0, matmul.epilogue?.keptCount(in: argument) ?? 0)
    case .columns, .attention, .groupAttention, .index, .parallel:
      (unitCount, variantCount) = (0, 0)
    }
  }
}

/// What attention's gradient keeps of each query: its largest score, one over the sum of powers, and the mean of its gradients.
enum RowStatistics {
  static let count = 3
}

extension WaveletKernel {
  /// Elements between the two passes over a unit's pictures.
  var intermediateCount: Int { 2 * channels * rows * 2 * columns }
}

extension SequenceKernel {
  /// Elements that its wavelets keep between passes, one after the other.
  fileprivate var intermediateCount: Int {
    members.map { if case .wavelet(let wavelet) = $0 { wavelet.intermediateCount } else { 0 } }.max() ?? 0
  }
}
