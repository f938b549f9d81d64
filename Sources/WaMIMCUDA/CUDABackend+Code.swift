import WaMIMCompiler

extension CUDABackend {
  /// The code of a program that is planned for GPUs, compiled to PTX.
  ///
  /// - Throws: An error where a kernel cannot be written, or this machine has no compiler for it.
  public func code(for program: Program) throws -> DeviceCode {
    let text = try cuda(program)
    let kernels = program.variants.enumerated().map { number, variant in
      let functions = (variant.plan as? CUDAPlan)?.functions ?? []
      return functions.map {
        DeviceCode.Launch(function: Self.name(ofKernel: number, $0), blocks: $0.blocks, threads: $0.threads)
      }
    }
    let ptx = try DeviceCompiler().ptx(of: text, architecture: "sm_\(Self.computeCapability)")
    return DeviceCode(
      ptx: ptx, kernels: kernels, computeCapability: Self.computeCapability, driverVersion: Self.driverVersion)
  }

  /// Ampere and newer.
  private static let computeCapability = 80
  /// CUDA 11.0, whose PTX is of version 7.0.
  private static let driverVersion = 11_000
}
