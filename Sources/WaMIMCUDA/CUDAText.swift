import WaMIMCompiler
import WaMIMManifest

extension CUDABackend {
  /// The program's functions as CUDA C++, after what they share.
  ///
  /// - Parameter image: The number of the architecture that they are for.
  /// - Throws: An error where a kernel has arrays or rows that the functions cannot work on, or the program is for another backend.
  public func cuda(_ program: Program, image: Int = 0) throws -> String {
    let texts = try program.kernels.indices.map { index in
      let calls = program.manifest.calls.filter { $0.kernel == index }
      let layers = Set(calls.map { Manifest.pattern($0.name) }).sorted()
      return try cuda(
        program.kernels[index], program.variants[index], image: image, number: index, comment: layers.joined(separator: ", "))
    }
    return "// \(program.name), as it runs on GPUs of \(architectures[image].name).\n\n"
      + prelude(of: program.variants, image: image)
      + texts.joined() + RuntimeFunctions.text + "\n"
  }

  /// Kernels alone, with their variants.
  package func cuda(_ kernels: [(kernel: Kernel, variant: Variant)], image: Int = 0) throws -> String {
    let texts = try kernels.enumerated().map {
      try cuda($1.kernel, $1.variant, image: image, number: $0, comment: $1.kernel.body.kind)
    }
    return prelude(of: kernels.map { $0.variant }, image: image) + texts.joined()
  }

  /// The name of one of a kernel's functions.
  package static func name(ofKernel number: Int, _ function: CUDAFunction) -> String { "k\(number)_\(function.purpose)" }

  private func cuda(_ kernel: Kernel, _ variant: Variant, image: Int, number: Int, comment: String) throws -> String {
    guard let plan = variant.plan as? CUDAPlan, plan.images.indices.contains(image) else {
      throw CUDAError("The program is planned for another target than CUDA.")
    }
    if let problem = plan.problem(called: comment) { throw problem }
    return plan.images[image].map { function in
      let name = Self.name(ofKernel: number, function)
      let bounds = [function.threads, function.residentBlocks].compactMap { $0.map(String.init) }.joined(separator: ", ")
      return """

        // \(comment)
        KERNEL(\(bounds)) \(name)(\(function.parameters(of: kernel))) {
        \(function.statements(of: kernel, name: name))}

        """
    }.joined()
  }

  /// What the functions of an image share.
  private func prelude(of variants: [Variant], image: Int) -> String {
    let functions = variants.flatMap { ($0.plan as? CUDAPlan)?.images[image] ?? [] }
    let columns = Set(functions.compactMap(\.groupColumns)).sorted()
    return Prelude.text + "\n" + (columns.isEmpty ? "" : Prelude.warpGroups(columns: columns))
  }
}

extension CUDAPlan {
  /// What keeps the functions from being right.
  fileprivate func problem(called name: String) -> CUDAError? {
    let functions = images.flatMap(\.self)
    if functions.contains(where: { $0.threads == 0 }) {
      return CUDAError("\(name): a row of scores is longer than shared memory; the CUDA backend cannot do that yet.")
    }
    // Indices are 32 bits wide, those of each kernel by itself.
    let mostThreads = functions.map { $0.blocks * ($0.addressCount == nil ? $0.threads : 1) }.max() ?? 0
    if max(mostThreads, mostElements) > Int(Int32.max) {
      return CUDAError("\(name): it has more than 2,147,483,647 elements; take smaller micro-batches with --micro-batch.")
    }
    return nil
  }
}

/// What the CUDA backend cannot do, or what the machine lacks for it.
public struct CUDAError: Error, CustomStringConvertible {
  public var description: String

  public init(_ description: String) { self.description = description }
}
