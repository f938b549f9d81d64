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

  init?(argument: String) {
    switch argument {
    case "graph": self = .graph
    case "kernels": self = .kernels
    case "plan": self = .plan
    case "matmuls": self = .matmuls
    case "llvm": self = .code(.llvm)
    case "asm": self = .code(.assembly)
    case "obj": self = .code(.object)
    default:
      guard argument.hasPrefix("after:") else { return nil }
      self = .afterPass(String(argument.dropFirst("after:".count)))
    }
  }
}
