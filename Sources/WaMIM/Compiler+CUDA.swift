import Foundation
import WaMIMCUDA
import WaMIMCompiler
import WaMIMLLVM

extension Compiler.Target {
  /// Whether kernels run on GPUs.
  var isOfGPUs: Bool {
    switch self {
    case .cuda, .gpus: true
    case .cpu, .processor: false
    }
  }
}

extension Compiler {
  /// The backend for the GPUs of `target`.
  ///
  /// - Throws: An error that lists the known architectures, where there is none of a name.
  public var gpuBackend: CUDABackend {
    get throws {
      guard case .gpus(let names) = target else { return CUDABackend() }
      return CUDABackend(architectures: try names.map(GPUArchitecture.named))
    }
  }

  /// The program that `model` becomes for NVIDIA's GPUs.
  ///
  /// - Throws: What `gpuBackend` and `program(for:)` throw.
  public func programForGPU(_ model: Model) throws -> Program { try program(for: model, backend: gpuBackend) }

  /// Compiles `model` for GPUs and links the trainer at `path`.
  ///
  /// - Throws: What `programForGPU(_:)` throws, and an error where processors' ways to compute or to share a run are asked for.
  func buildForGPU(_ model: Model, to path: String) throws {
    if usesMPI { throw CUDAError("runs of many processes are of trainers for processors: leave out MPI, or the target for GPUs") }
    if matmuls == .openBLAS { throw CUDAError("OpenBLAS multiplies on processors: leave it out where the target is a GPU") }
    var program = try programForGPU(model)
    if comparesWithCUBLAS { program.manifest.products = try gpuBackend.products(of: program) }
    let code = try gpuBackend.code(for: program)
    let object = try LLVMBackend(processor: .native).object(for: program, with: code)
    try Linker().link([object], to: URL(fileURLWithPath: path))
  }
}
