import ArgumentParser
import Foundation
import WaMIM
import WaMIMCUDA
import WaMIMCompiler
import WaMIMLLVM
import WaMIMLanguage

/// The command: options in, stages called in order, diagnostics out.
@main
struct Wamimc: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wamimc",
    abstract: "Compiles a model into one executable that trains it on a folder of images.",
    discussion: """
      Examples:
        wamimc graphs/wamim_vit_base.wg -o train
        wamimc graphs/wamim_vit_demo.wg --set dim=72 --set 'taps=[2, 3, 4, 5]' -o train
        wamimc graphs/wamim_vit_base.wg --memory 1500MiB -o train
        wamimc graphs/wamim_vit_base.wg --target cuda -o train
        wamimc graphs/wamim_vit_demo.wg --emit plan
      """,
    version: Compiler.version)

  @Argument(help: "The model, in the .wg language.")
  var model: String?

  @Option(
    name: .shortAndLong,
    help: "Where the executable goes; with --emit, the text or object, which otherwise goes to standard output.")
  var output: String?

  @Option(name: .customLong("set"), help: ArgumentHelp("Replace a value of the model's top level.", valueName: "name=value"))
  var overrides: [String] = []

  @Option(
    help: ArgumentHelp(
      "Cut the batch into the largest equal micro-batches with which training on one thread fits: 1500MiB, 1.5GiB or bytes.",
      valueName: "size"))
  var memory: String?

  @Option(
    help: ArgumentHelp(
      "Cut the batch into micro-batches of this many samples, the whole batch included; as few as keep products efficient otherwise.",
      valueName: "samples"))
  var microBatch: Int?

  @Option(
    help: ArgumentHelp(
      "What to write instead of an executable: graph, kernels, plan, matmuls, llvm, asm, obj, cuda, ptx, sass or after:PASS.",
      valueName: "stage"))
  var emit: Stage?

  @Option(
    help: ArgumentHelp(
      "The schedule that after:PASS shows: step, gradients, update, forward, features, average or round (default: step).",
      valueName: "name"))
  var schedule: String?

  @Option(
    name: .customLong("disable"), help: ArgumentHelp("Leave out a pass; --list-passes tells which can be.", valueName: "pass"))
  var disabled: [String] = []

  @Option(
    help: ArgumentHelp(
      "The processor to generate code for: native or one of LLVM's names, with --emit also of another architecture.",
      valueName: "name"))
  var cpu = "native"

  @Option(
    help: ArgumentHelp(
      """
      What the program is for: cpu; cuda, NVIDIA's GPUs; or cuda: and architectures, such as cuda:sm_80,sm_90a, of whose kernels \
      --emit cuda, ptx and sass show those of the first (default: cpu).
      """, valueName: "kind"), transform: TargetKind.init)
  var target = TargetKind.cpu

  @Option(
    help: ArgumentHelp(
      """
      Where matrix products come from: generated, for the model's shapes; openblas; or auto, generated unless openblas is a tenth \
      faster by estimate. For GPUs they are generated, and with cublas the trainer's bench holds them against cuBLASLt's.
      """, valueName: "source"))
  var matmul = MatmulChoice.auto

  @Option(
    help: ArgumentHelp(
      "What matmuls and attention read: f32, or bf16; what the model says otherwise.", valueName: "type"))
  var precision: String?

  @Flag(
    help:
      "Let mpiexec start the executable as many processes that train together, by the MPI whose compiler MPICC names, else mpicc.")
  var mpi = false

  @Flag(help: "List the passes, in the order they run, and exit.")
  var listPasses = false

  func validate() throws {
    if listPasses { return }
    guard model != nil else { throw ValidationError("name the model to compile, such as graphs/wamim_vit_demo.wg") }
    guard emit != nil || output != nil else {
      throw ValidationError("say where the executable goes with -o FILE, or what to show with --emit STAGE")
    }
    if mpi, emit != nil { throw ValidationError("--mpi is about executables: leave it out with --emit") }
    guard output != "" else { throw ValidationError("-o takes the name of a file, and this one is empty") }
    do {
      _ = try TargetProcessor.named(cpu)
      for name in disabled { try Compiler.pass(named: name).requireOptional() }
      if case .afterPass(let name)? = emit { _ = try Compiler.pass(named: name) }
    } catch let error as CompilationError {
      throw ValidationError(error.message)
    } catch let error as BackendError {
      throw ValidationError(error.message)
    }
    try validateSchedule()
    try validateTarget()
    let precisions = Setting.all(in: .precision).map(\.name)
    if let precision, !precisions.contains(precision) {
      throw ValidationError("--precision takes \(precisions.joined(separator: " or ")), not '\(precision)'")
    }
    if memory != nil, microBatch != nil {
      throw ValidationError("--memory chooses the micro-batch that --micro-batch gives: give only one of them")
    }
    if let memory, MemorySize(memory) == nil {
      throw ValidationError("--memory takes a size such as 1500MiB, 1.5GiB or a number of bytes, not '\(memory)'")
    }
    if case .afterPass(let name)? = emit {
      guard !Compilation.stepsAfterGraphs.contains(name) else {
        throw ValidationError("after '\(name)' there are kernels and no graph any more: show them with --emit kernels")
      }
      guard !disabled.map(Passes.currentName).contains(Passes.currentName(of: name)) else {
        throw ValidationError("the pass '\(name)' is left out, so nothing comes after it")
      }
    }
  }

  private func validateTarget() throws {
    if let emit, !emit.belongs(to: target) {
      throw ValidationError(
        target == .cpu
          ? "kernels for a GPU are those of --target cuda: add that"
          : "--emit matmuls, llvm, asm and obj show code for CPUs: leave out --target cuda, or show --emit cuda, ptx or sass")
    }
    guard target.isOfGPUs else {
      if matmul == .cublas { throw ValidationError("--matmul cublas is about GPUs: add --target cuda, or say openblas") }
      return
    }
    if mpi { throw ValidationError("--mpi is about trainers for CPUs so far: leave it out with --target cuda") }
    if memory != nil {
      throw ValidationError("--memory is about CPUs' memory: with --target cuda say --micro-batch")
    }
    if cpu != "native" || matmul == .openblas {
      throw ValidationError("--cpu and --matmul openblas are about CPUs: leave them out with --target cuda")
    }
  }

  private func validateSchedule() throws {
    guard let schedule else { return }
    guard ScheduleRole(rawValue: schedule) != nil else {
      let names = ScheduleRole.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("there is no schedule '\(schedule)': choose one of \(names)")
    }
    guard case .afterPass? = emit else {
      throw ValidationError("--schedule chooses the graph that --emit after:PASS shows: leave it out, or ask for that stage")
    }
  }

  func run() throws {
    if listPasses {
      for pass in Compiler.passes {
        print("\(pass.name): \(pass.summary)" + (pass.isOptional ? "" : " (Cannot be left out.)"))
      }
      return
    }
    do {
      try compile()
    } catch {
      try FileHandle.standardError.write(contentsOf: Data((Wamimc.message(of: error) + "\n").utf8))
      throw ExitCode.failure
    }
  }

  /// What to print of `error`: models' mistakes carry their position and the word already.
  private static func message(of error: any Error) -> String {
    switch error {
    case is DiagnosticError, is GraphError, is CompilationError: "\(error)"
    default: "error: \(error)"
    }
  }

  private var compilerTarget: Compiler.Target {
    switch target {
    case .cuda(let names): names.isEmpty ? .cuda : .gpus(names)
    case .cpu: cpu == "native" ? .cpu : .processor(cpu)
    }
  }

  private func compile() throws {
    let path = self.model ?? ""
    if let output, output != "-" || emit == nil {
      let file = OutputFile(output)
      try file.requireDistinct(from: path, called: "the model")
      try file.requireDistinct(from: "/proc/self/exe", called: "this compiler")
    }
    let text = try Language.text(at: path)
    var model = try Language.model(source: text, file: path, overrides: overrides.map { try Override($0) })
    if let precision { model.recipe[choice: .precision] = precision }
    var compiler = Compiler(target: compilerTarget)
    compiler.disabledPasses = Set(disabled)
    compiler.sources = [path: text]
    compiler.matmuls = matmul.source
    compiler.comparesWithCUBLAS = matmul == .cublas
    compiler.usesMPI = mpi
    if let budget = memory.flatMap(MemorySize.init) { compiler.microBatch = .within(bytes: budget.bytes) }
    if let microBatch { compiler.microBatch = .samples(microBatch) }
    guard let emit else {
      return try compiler.build(model, to: output ?? "")
    }
    if target.isOfGPUs, try emitForGPU(emit, model, compiler) { return }
    switch emit {
    case .graph: try write(Array(Language.print(model).utf8))
    case .kernels: try write(Array(compiler.program(for: model).kernelText.utf8))
    case .plan: try write(Array(compiler.program(for: model).planText.utf8))
    case .matmuls:
      let table = try MatmulTable(compiler.program(for: model), processor: compiler.processor)
      try write(Array(table.text(source: matmul.source).utf8))
    case .code(let kind):
      let (program, backend) = try compiler.plan(model)
      try write(backend.emit(program, as: kind))
    case .afterPass(let name): try writeGraph(after: name, model, compiler)
    // They are of the other target.
    case .cuda, .ptx, .sass: return
    }
  }

  /// Writes `stage` of the program for a GPU, if it differs from that for a CPU.
  private func emitForGPU(_ stage: Stage, _ model: Model, _ compiler: Compiler) throws -> Bool {
    switch stage {
    case .kernels: try write(Array(compiler.programForGPU(model).kernelText.utf8))
    case .plan:
      let program = try compiler.programForGPU(model)
      try write(Array((program.planText + LaunchTable(program).text).utf8))
    case .cuda: try write(Array(compiler.gpuBackend.cuda(compiler.programForGPU(model)).utf8))
    case .ptx: try write(Array(compiler.gpuBackend.ptx(of: compiler.programForGPU(model)).utf8))
    case .sass: try write(Array(compiler.gpuBackend.instructions(of: compiler.programForGPU(model)).utf8))
    case .graph, .afterPass, .matmuls, .code: return false
    }
    return true
  }

  private func writeGraph(after name: String, _ model: Model, _ compiler: Compiler) throws {
    let schedule = schedule ?? ScheduleRole.step.rawValue
    let name = Passes.currentName(of: name)
    var text: String?
    let program = try compiler.program(for: model) { role, pass, graph in
      if role.rawValue == schedule, pass.name == name {
        text = Language.print(Model(graph, recipe: model.recipe, pictures: model.pictures))
      }
    }
    guard program.schedules.contains(where: { $0.name == schedule }) else {
      let names = program.schedules.map(\.name).joined(separator: ", ")
      throw CompilationError(
        "the batch is cut into micro-batches, so there is no schedule '\(schedule)': choose one of \(names) with --schedule")
    }
    guard let text else { throw CompilationError("the pass '\(name)' does not run for the schedule '\(schedule)'") }
    try write(Array(text.utf8))
  }

  /// Writes `bytes` where the output goes.
  private func write(_ bytes: [UInt8]) throws {
    if let output, output != "-" { return try OutputFile(output).write(bytes) }
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(bytes))
    } catch {
      throw BackendError(writing: "to standard output", failedWith: error)
    }
  }
}
