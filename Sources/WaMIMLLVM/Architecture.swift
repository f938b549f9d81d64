import CLLVM

/// A family of processors with instructions in common.
public enum Architecture: String, Hashable, Sendable, CaseIterable {
  /// 64-bit x86, on which vectors come with extensions: SSE on every processor, AVX2 and AVX-512 on some.
  case x86 = "x86-64"
  /// 64-bit ARM, whose processors all have NEON's vectors.
  case arm = "AArch64"

  /// The architecture of the machine that this runs on.
  #if arch(x86_64)
    public static let native = Architecture.x86
  #else
    public static let native = Architecture.arm
  #endif

  /// LLVM's name of the processor whose instructions every machine of the architecture has.
  var baseline: String {
    switch self {
    case .x86: "x86-64"
    case .arm: "generic"
    }
  }

  /// LLVM's description of the machines that code is for: this one where it is of the architecture, else some Linux machine.
  var triple: String {
    self == .native ? takeMessage(LLVMGetDefaultTargetTriple()) : "\(linuxName)-unknown-linux-gnu"
  }

  /// What Linux calls the architecture.
  var linuxName: String {
    switch self {
    case .x86: "x86_64"
    case .arm: "aarch64"
    }
  }
}
