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
  func buildForGPU(_ model: Model, to path: String) throws {
    let program = try programForGPU(model)
    let code = try CUDABackend().code(for: program)
    let object = try LLVMBackend(processor: .native).object(for: program, with: code)
    try Linker().link([object], to: URL(fileURLWithPath: path))
  }
}
