import Foundation
import WaMIMCUDA
import WaMIMCompiler
import WaMIMLLVM

extension Compiler {
  /// The program that `model` becomes for NVIDIA's GPUs.
  ///
  /// - Throws: What `program(for:)` throws, and an error where `model` asks for what there is not on GPUs yet.
  public func programForGPU(_ model: Model) throws -> Program {
    if model.recipe.isMixedPrecision {
      throw CUDAError("kernels for GPUs compute in float32 so far: say --precision f32")
    }
    return try program(for: model, backend: CUDABackend())
  }

  /// Compiles `model` for GPUs and links the trainer at `path`.
  func buildForGPU(_ model: Model, to path: String) throws {
    let program = try programForGPU(model)
    let code = try CUDABackend().code(for: program)
    let object = try LLVMBackend(processor: .native).object(for: program, with: code)
    try Linker().link([object], to: URL(fileURLWithPath: path))
  }
}
