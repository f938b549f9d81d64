import CLLVM

/// A processor that code is generated for: what it can do, and what its code is scheduled for.
public struct TargetProcessor: Hashable, Sendable {
  /// LLVM's name of the processor, such as `znver3`.
  public var name: String
  public var architecture: Architecture
  /// The instruction set extensions that the code uses, by LLVM's names, the most basic first.
  public var features: [String]
  /// The processor that instructions are scheduled for: `name`, or the nearest one that every supported LLVM knows.
  var tuning: String

  /// The processor that this runs on.
  public static var native: TargetProcessor {
    let name = takeMessage(LLVMGetHostCPUName())
    let enabled = Set(
      takeMessage(LLVMGetHostCPUFeatures()).split(separator: ",").filter { $0.hasPrefix("+") }.map { $0.dropFirst() })
    let features = ProcessorTable.relevantFeatures(.native).filter { enabled.contains(Substring($0)) }
    return TargetProcessor(name: name, architecture: .native, features: features, tuning: name)
  }

  /// The processor of a name, of this machine's architecture or another, or of `native`.
  ///
  /// - Throws: An error that lists the names, where there is no such processor.
  public static func named(_ name: String) throws -> TargetProcessor {
    if name == "native" { return native }
    for architecture in Architecture.allCases {
      guard let entry = ProcessorTable.entries(architecture).first(where: { $0.name == name }) else { continue }
      return TargetProcessor(name: name, architecture: architecture, features: entry.features, tuning: entry.tuning)
    }
    let known = Architecture.allCases.map { architecture in
      "of \(architecture.rawValue) \(ProcessorTable.entries(architecture).map(\.name).joined(separator: ", "))"
    }
    throw BackendError("There is no processor named '\(name)'; use native, or one \(known.joined(separator: "; or ")).")
  }
}

extension TargetProcessor {
  /// The features as LLVM wants them.
  var featureString: String { features.map { "+" + $0 }.joined(separator: ",") }

  /// The single-precision lanes of a vector register.
  var lanes: Int {
    if features.contains("avx512f") { return 16 }
    return features.contains("avx") ? 8 : 4
  }

  /// Vector registers that code can use.
  var registerCount: Int { features.contains("avx512f") || architecture == .arm ? 32 : 16 }

  /// The least that the second cache of a core holds.
  var secondCacheBytes: Int { features.contains("avx512f") ? 1 << 20 : 512 << 10 }

  /// Whether a product and a sum can be one instruction that rounds once.
  var hasFusedMultiplyAdd: Bool { architecture == .arm || features.contains("fma") }

  /// Whether it multiplies whole matrices of 16-bit numbers at a time, beside vectors of 16 lanes.
  var hasMatrixUnit: Bool { features.contains("amx-bf16") && features.contains("amx-tile") && lanes == 16 }
}
