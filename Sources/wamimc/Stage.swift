import ArgumentParser
import WaMIMCUDA
import WaMIMLLVM

/// A stage of the compiler whose result can be looked at.
enum Stage: Hashable, ExpressibleByArgument {
  /// The model as primitive operations, in text that compiles to the same program.
  case graph
  /// The same after the pass of that name.
  case afterPass(String)
  case kernels
  case plan
  /// Where the matrix products of a step come from, and what each takes by estimate.
  case matmuls
  case code(LLVMBackend.Output)
  /// The kernels for a GPU, as CUDA C++, as PTX, and as the GPU's instructions.
  case cuda, ptx, sass

  init?(argument: String) {
    switch argument {
    case "graph": self = .graph
    case "kernels": self = .kernels
    case "plan": self = .plan
    case "matmuls": self = .matmuls
    case "llvm": self = .code(.llvm)
    case "asm": self = .code(.assembly)
    case "obj": self = .code(.object)
    case "cuda": self = .cuda
    case "ptx": self = .ptx
    case "sass": self = .sass
    default:
      guard argument.hasPrefix("after:") else { return nil }
      self = .afterPass(String(argument.dropFirst("after:".count)))
    }
  }
}

extension Stage {
  /// Whether the stage is one of programs for `target`.
  func belongs(to target: TargetKind) -> Bool {
    switch self {
    case .graph, .afterPass, .kernels, .plan: true
    case .matmuls, .code: !target.isOfGPUs
    case .cuda, .ptx, .sass: target.isOfGPUs
    }
  }
}

/// Where matrix products come from, or what they are held against.
enum MatmulChoice: String, ExpressibleByArgument, CaseIterable {
  case openblas, generated, auto, cublas

  /// The source of products on processors.
  var source: MatmulSource {
    switch self {
    case .openblas: .openBLAS
    case .generated, .cublas: .generated
    case .auto: .automatic
    }
  }
}

/// What kind of machine a program is for.
enum TargetKind: Hashable {
  case cpu
  /// NVIDIA's GPUs, of architectures by name; what the compiler chooses where there are none.
  case cuda([String])

  /// The target that `--target` names.
  ///
  /// - Throws: An error that says what there is.
  init(_ text: String) throws {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    switch (parts[0], parts.count) {
    case ("cpu", 1): self = .cpu
    case ("cuda", 1): self = .cuda([])
    case ("cuda", _):
      let names = parts[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      do {
        for name in names { _ = try GPUArchitecture.named(name) }
      } catch { throw ValidationError("\(error)") }
      if let name = names.indices.first(where: { names[..<$0].contains(names[$0]) }).map({ names[$0] }) {
        throw ValidationError("--target names \(name) twice")
      }
      self = .cuda(names)
    default:
      throw ValidationError("--target takes cpu, cuda, or cuda: and architectures such as cuda:sm_80,sm_90a, not '\(text)'")
    }
  }

  var isOfGPUs: Bool { self != .cpu }
}
