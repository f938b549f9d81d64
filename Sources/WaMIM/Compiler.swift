import Foundation
import WaMIMCompiler
@_exported import WaMIMGraph
import WaMIMLLVM
import WaMIMLanguage
@_exported import WaMIMLayers
@_exported import WaMIMTraining

/// Turns a model into a standalone executable that trains it.
///
///     let model = try Model("tiny") { g in … }
///     try Compiler(target: .cpu).build(model, to: "train")
public struct Compiler: Sendable {
  /// What machine the executable is for.
  public enum Target: Hashable, Sendable {
    /// The processor that the compiler runs on.
    case cpu
    /// A processor by LLVM's name, such as `x86-64-v3` or `znver3`; executables are linked only where it is of this machine's
    /// architecture.
    case processor(String)
    /// NVIDIA's GPUs, and the processor that the compiler runs on beside them.
    case cuda
    /// The same, with code for the architectures of these names by NVIDIA, such as `sm_90a`.
    case gpus([String])
  }

  /// How many samples of a batch an executable takes at a time.
  public typealias MicroBatch = WaMIMCompiler.MicroBatch

  /// This compiler's version.
  public static let version = "0.1.0"

  public var target: Target
  /// Where matrix products come from.
  public var matmuls = MatmulSource.automatic
  /// Whether the `bench` of trainers for GPUs holds their products against those of cuBLASLt.
  public var comparesWithCUBLAS = false
  /// The names of passes that are left out; `Compiler.passes` lists those that can be.
  public var disabledPasses: Set<String> = []
  /// How many samples of a batch the executable takes at a time: fewer need less memory, and make the same step.
  public var microBatch = MicroBatch.automatic
  /// Whether executables can be one of many processes under the MPI that this site has.
  public var usesMPI = false
  /// The texts that describe the model, by the names of their files, for the trainer's `bench --by line` to show.
  public var sources: [String: String] = [:]

  public init(target: Target = .cpu) {
    self.target = target
  }

  /// Compiles `model` and links the trainer at `path`, which is replaced only when all went well.
  ///
  /// - Throws: An error whose description says what is wrong with the model, or what the machine lacks.
  public func build(_ model: Model, to path: String) throws {
    if target.isOfGPUs { return try buildForGPU(model, to: path) }
    let processor = try processor
    guard processor.architecture == .native else {
      throw BackendError(
        """
        Executables are linked only for the architecture of this machine, \(Architecture.native.rawValue), and \(processor.name) is \
        of \(processor.architecture.rawValue); 'wamimc --emit obj' writes its code.
        """)
    }
    if usesMPI { try Linker().requireMPI() }
    let (program, backend) = try plan(model)
    let objects = try backend.objects(for: program)
    try Linker().link(objects, to: URL(fileURLWithPath: path), usesMPI: usesMPI)
  }

  /// The program that `model` becomes: kernels and schedules, before they are code.
  ///
  /// - Throws: `GraphError` or `CompilationError` where the model cannot be trained, or a pass cannot be left out.
  public func program(
    for model: Model, observe: (ScheduleRole, Pass, Graph) -> Void = { _, _, _ in }
  ) throws -> Program {
    try plan(model, observe: observe).program
  }

  /// The program that `model` becomes for the target of `backend`.
  ///
  /// - Throws: What `program(for:)` throws.
  public func program(for model: Model, backend: some Backend) throws -> Program {
    for name in disabledPasses.sorted() { try Compiler.pass(named: name).requireOptional() }
    // How many samples are efficient at a time is known of CPUs only.
    let samples = microBatch == .automatic ? MicroBatch.whole : microBatch
    let compilation = Compilation(disabled: disabledPasses, microBatch: samples, backend: backend, sources: sources)
    return try compilation.program(for: model, text: Language.print(model), compiler: Compiler.version)
  }

  /// The program, and the backend that it is planned for, which emits it.
  ///
  /// - Throws: What `program(for:)` throws.
  public func plan(
    _ model: Model, observe: (ScheduleRole, Pass, Graph) -> Void = { _, _, _ in }
  ) throws -> (program: Program, backend: LLVMBackend) {
    for name in disabledPasses.sorted() { try Compiler.pass(named: name).requireOptional() }
    if matmuls == .openBLAS, model.recipe.isMixedPrecision {
      throw CompilationError(
        "OpenBLAS multiplies float32 numbers, and products read bf16: leave out --matmul openblas, or say --precision f32")
    }
    let text = Language.print(model)
    func program(_ backend: LLVMBackend) throws -> Program {
      try Compilation(disabled: disabledPasses, microBatch: microBatch, backend: backend, sources: sources).program(
        for: model, text: text, compiler: Compiler.version, observe: observe)
    }
    let backend = LLVMBackend(processor: try processor, matmuls: matmuls)
    let planned = try program(backend)
    // Whether a library is worth linking can be said only when all products are known.
    let resolved = backend.resolved(for: planned)
    guard backend.matmuls == .automatic, resolved.matmuls == .openBLAS else { return (planned, resolved) }
    return (try program(resolved), resolved)
  }

  /// What the compiler does to a graph on the way to kernels, in order; `disabledPasses` takes the names of what is optional.
  public static var passes: [PassDescription] {
    let fusion = "Lets values that run over the same rows, and what follows a wavelet analysis in each sample, share kernels."
    let merging = "Gathers calls that need nothing of each other, where the target can make several at the same time, as GPUs can."
    return Passes.all.map { PassDescription(name: $0.name, summary: $0.summary, isOptional: $0.isOptional) }
      + [
        .init(name: Compilation.fusion, summary: fusion, isOptional: true),
        .init(name: Compilation.merging, summary: merging, isOptional: true),
      ]
  }

  /// The pass of a name.
  ///
  /// - Throws: `CompilationError`, with the names of all passes, where none has this one.
  public static func pass(named name: String) throws -> PassDescription {
    guard let pass = passes.first(where: { $0.name == Passes.currentName(of: name) }) else {
      throw CompilationError("there is no pass '\(name)'; there are \(passes.map(\.name).joined(separator: ", "))")
    }
    return pass
  }

  /// The processor that code is generated for.
  ///
  /// - Throws: `BackendError` where LLVM does not know its name.
  public var processor: TargetProcessor {
    get throws {
      switch target {
      case .cpu, .cuda, .gpus: .native
      case .processor(let name): try .named(name)
      }
    }
  }
}
