import CAMXEmulator
import CPlatform
import Foundation
import WaMIMCompiler
import WaMIMLLVM

/// Compiled and linked kernels that can be run.
protocol RunnableKernels {
  /// Runs kernel `index`, as a call for each of `ranges` of units.
  func run(_ index: Int, _ kernel: Kernel, on memory: inout KernelMemory, ranges: [Range<Int>]) throws
}

/// Kernels for tests: this machine's are loaded into this process, those of another architecture run in an emulator.
struct CompiledKernels {
  /// The kernels with the workspaces of their variants.
  let kernels: [Kernel]
  private let runnable: any RunnableKernels

  init(_ kernels: [Kernel], backend: LLVMBackend = LLVMBackend()) throws {
    self.kernels = backend.planned(kernels).map(\.kernel)
    let (processor, object) = try (backend.processor, backend.emit(kernels, as: .object))
    runnable =
      try processor.architecture == .native
      ? LoadedKernels(object, count: kernels.count, for: processor) : EmulatedKernels(object, count: kernels.count)
  }

  /// Runs kernel `index` on whole arrays, as a call for each of `ranges` of units.
  func run(_ index: Int, arrays: inout [[Float]], ranges: [Range<Int>]) throws {
    var memory = KernelMemory(arrays, of: kernels[index])
    try runnable.run(index, kernels[index], on: &memory, ranges: ranges)
    try memory.read(into: &arrays)
  }

  /// Runs kernel `index` too, and counts the elements of its workspace up to the last one that is written.
  func usedWorkspace(_ index: Int, arrays: inout [[Float]], ranges: [Range<Int>]) throws -> Int {
    var memory = KernelMemory(arrays, of: kernels[index])
    try runnable.run(index, kernels[index], on: &memory, ranges: ranges)
    try memory.read(into: &arrays)
    return memory.usedWorkspace
  }
}

/// AMX where the processor lacks it, but has all else that its code needs.
enum EmulatedAMX {
  /// The processor that code for AMX is compiled for, where AMX is emulated for it.
  static let processor: TargetProcessor? = {
    guard let processor = try? TargetProcessor.named("sapphirerapids"), processor.architecture == .native else { return nil }
    let missing = processor.features.filter { !wamim_processor_has($0) }
    let lacksOnlyAMX = !missing.isEmpty && missing.allSatisfy { $0.hasPrefix("amx-") }
    return lacksOnlyAMX && amx_emulator_install() ? processor : nil
  }()

  static func has(_ feature: String) -> Bool { processor != nil && feature.hasPrefix("amx-") }
}

/// Kernels in a shared library that is loaded into this process.
private final class LoadedKernels: RunnableKernels {
  private typealias Function = @convention(c) (UnsafePointer<UnsafeMutableRawPointer?>, Int64, Int64) -> Void

  private let library: UnsafeMutableRawPointer
  private let functions: [Function]

  init(_ object: [UInt8], count: Int, for processor: TargetProcessor) throws {
    // Trainers ask so too, before a kernel runs.
    for feature in processor.features where !wamim_processor_has(feature) && !EmulatedAMX.has(feature) {
      throw BackendError("This machine lacks \(feature).")
    }
    let folder = try TemporaryFolder()
    let (file, shared) = (folder.url.appendingPathComponent("kernels.o"), folder.url.appendingPathComponent("kernels.so"))
    try Data(object).write(to: file)
    try runCommand("cc", "-shared", "-o", shared.path, file.path, "-lopenblas", "-lm")
    guard let library = dlopen(shared.path, RTLD_NOW) else { throw BackendError("The kernels could not be loaded.") }
    self.library = library
    functions = try (0..<count).map { index in
      guard let symbol = dlsym(library, "kernel_\(index)") else { throw BackendError("There is no kernel_\(index).") }
      return unsafeBitCast(symbol, to: Function.self)
    }
  }

  deinit { dlclose(library) }

  func run(_ index: Int, _ kernel: Kernel, on memory: inout KernelMemory, ranges: [Range<Int>]) {
    let starts = memory.starts
    memory.words.withUnsafeMutableBufferPointer { words in
      for range in ranges {
        let pointers = zip(kernel.arguments, starts).map { argument, start in
          let bytes = range.lowerBound * argument.unitStride * argument.element.byteCount
          return words.baseAddress.map { UnsafeMutableRawPointer($0 + start) + bytes }
        }
        functions[index](pointers, Int64(range.lowerBound), Int64(range.upperBound))
      }
    }
  }
}
