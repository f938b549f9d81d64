import ArgumentParser
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
  /// The kernels for a GPU, as CUDA C++ and as PTX.
  case cuda, ptx

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
    case .matmuls, .code: target == .cpu
    case .cuda, .ptx: target == .cuda
    }
  }
}

/// What kind of machine a program is for.
enum TargetKind: String, ExpressibleByArgument, CaseIterable {
  case cpu, cuda
}
