import WaMIMCompiler
import WaMIMManifest

extension CUDABackend {
  /// The program's functions as CUDA C++, after what they share.
  ///
  /// - Throws: An error where a kernel has arrays or rows that the functions cannot work on, or the program is for another backend.
  public func cuda(_ program: Program) throws -> String {
    let texts = try program.kernels.indices.map { index in
      let calls = program.manifest.calls.filter { $0.kernel == index }
      let layers = Set(calls.map { Manifest.pattern($0.name) }).sorted()
      return try cuda(program.kernels[index], program.variants[index], number: index, comment: layers.joined(separator: ", "))
    }
    return "// \(program.name), as it runs on a GPU.\n\n" + Prelude.text + "\n" + texts.joined() + RuntimeFunctions.text + "\n"
  }

  /// Kernels alone, with their variants.
  package func cuda(_ kernels: [(kernel: Kernel, variant: Variant)]) throws -> String {
    let texts = try kernels.enumerated().map { try cuda($1.kernel, $1.variant, number: $0, comment: $1.kernel.body.kind) }
    return Prelude.text + "\n" + texts.joined()
  }

  /// The name of one of a kernel's functions.
  package static func name(ofKernel number: Int, _ function: CUDAFunction) -> String { "k\(number)_\(function.purpose)" }

  private func cuda(_ kernel: Kernel, _ variant: Variant, number: Int, comment: String) throws -> String {
    guard let plan = variant.plan as? CUDAPlan else { throw CUDAError("The program is planned for another target than CUDA.") }
    if let problem = plan.problem(of: kernel, called: comment) { throw problem }
    return plan.functions.map { function in
      """

      // \(comment)
      KERNEL(\(function.threads)) \(Self.name(ofKernel: number, function))(\(function.parameters(of: kernel))) {
      \(function.statements)}

      """
    }.joined()
  }
}

extension CUDAPlan {
  /// What keeps the functions from being right.
  fileprivate func problem(of kernel: Kernel, called name: String) -> CUDAError? {
    if functions.contains(where: { $0.threads == 0 }) {
      return CUDAError("\(name): a row of scores is longer than shared memory; the CUDA backend cannot do that yet.")
    }
    // Indices are 32 bits wide; a unit's array is as long as the whole where all units share it.
    if functions.contains(where: { $0.blocks * $0.threads > Int(Int32.max) })
      || kernel.arguments.contains(where: { $0.count > Int(Int32.max) })
    {
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
