import WaMIMCompiler
import WaMIMManifest

extension CUDABackend {
  /// The code of a program that is planned for GPUs, compiled to PTX for each architecture.
  ///
  /// - Throws: An error where a kernel cannot be written, or this machine has no compiler for it.
  public func code(for program: Program) throws -> DeviceCode {
    let compiler = try DeviceCompiler()
    let images = architectures.indices.filter { !isUsual || $0 == 0 || usesWarpGroups(program, image: $0) }
    return DeviceCode(
      images: try concurrently(images) { image in
        let architecture = architectures[image]
        let ptx = try compiler.ptx(of: cuda(program, image: image), for: architecture)
        return DeviceCode.Image(
          architecture: architecture.name, computeCapability: architecture.computeCapability, isExact: architecture.isExact,
          driverVersion: (PTXVersion(of: ptx) ?? architecture.ptx).driverVersion, ptx: ptx,
          kernels: launches(of: program, image: image))
      })
  }

  /// Whether warp groups multiply in an image.
  private func usesWarpGroups(_ program: Program, image: Int) -> Bool {
    program.variants.contains { variant in
      (variant.plan as? CUDAPlan)?.images[image].contains { $0.groupColumns != nil } ?? false
    }
  }

  /// The products of a program that is planned for GPUs, by its kernels.
  public func products(of program: Program) -> [Manifest.Product] {
    zip(program.kernels, program.variants).enumerated().compactMap { number, pair in
      var kernel = pair.0
      // Products that run at the same time are equal.
      if case .parallel(let parallel) = kernel.body, let group = parallel.groups.first { kernel = group.kernel }
      guard case .matmul(let matmul) = kernel.body, let shape = (pair.1.plan as? CUDAPlan)?.product else { return nil }
      return Manifest.Product(
        kernel: number, rows: shape.rows, columns: shape.columns, terms: matmul.k, count: shape.products,
        isLeftTransposed: matmul.left.isTransposed, isRightTransposed: matmul.right.isTransposed, factor: matmul.factor,
        result: kernel.arguments[matmul.result.argument].element)
    }
  }

  /// The PTX of a program for the first architecture.
  ///
  /// - Throws: What `code(for:)` throws.
  public func ptx(of program: Program) throws -> String { try DeviceCompiler().ptx(of: cuda(program), for: architectures[0]) }

  /// A program's instructions for the first architecture.
  ///
  /// - Throws: What `code(for:)` throws, and an error where this machine lacks NVIDIA's programs.
  public func instructions(of program: Program) throws -> String {
    let disassembler = try Disassembler()
    return try disassembler.instructions(of: ptx(of: program), for: architectures[0])
  }

  /// The launches of each kernel.
  private func launches(of program: Program, image: Int) -> [[DeviceCode.Launch]] {
    program.variants.enumerated().map { kernel, variant in
      let functions = (variant.plan as? CUDAPlan)?.images[image] ?? []
      return functions.map {
        DeviceCode.Launch(
          function: Self.name(ofKernel: kernel, $0), blocks: $0.blocks, threads: $0.threads, sharedBytes: $0.sharedBytes,
          tensorMaps: $0.tensorMaps)
      }
    }
  }
}
