import CLLVM

/// A processor that code is generated for: what it can do, and what its code is scheduled for.
public struct TargetProcessor: Hashable, Sendable {
  /// LLVM's name of the processor, such as `znver3`.
  public let name: String
  public let architecture: Architecture
  /// The instruction set extensions that the code uses, by LLVM's names, the most basic first.
  public let features: [String]
  /// The processor that instructions are scheduled for: `name`, or the nearest one that every supported LLVM knows.
  let tuning: String
  /// What code is made of.
  public let instructionSet: InstructionSet

  private init(name: String, architecture: Architecture, features: [String], tuning: String) {
    self.name = name
    self.architecture = architecture
    self.features = features
    self.tuning = tuning
    instructionSet = .best(architecture, features: features)
  }

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
}
