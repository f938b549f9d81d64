import Foundation
import WaMIMCUDA
import WaMIMCompiler
import WaMIMLLVM

extension Compiler {
  /// The program that `model` becomes for NVIDIA's GPUs.
  ///
  /// - Throws: What `program(for:)` throws.
  public func programForGPU(_ model: Model) throws -> Program { try program(for: model, backend: CUDABackend()) }

  /// Compiles `model` for GPUs and links the trainer at `path`.
  ///
  /// - Throws: What `programForGPU(_:)` throws, and an error where processors' ways to compute or to share a run are asked for.
  func buildForGPU(_ model: Model, to path: String) throws {
    if usesMPI { throw CUDAError("runs of many processes are of trainers for processors: leave out MPI, or the target for GPUs") }
    if matmuls == .openBLAS { throw CUDAError("OpenBLAS multiplies on processors: leave it out where the target is a GPU") }
    let program = try programForGPU(model)
    let code = try CUDABackend().code(for: program)
    let object = try LLVMBackend(processor: .native).object(for: program, with: code)
    try Linker().link([object], to: URL(fileURLWithPath: path))
  }
}
