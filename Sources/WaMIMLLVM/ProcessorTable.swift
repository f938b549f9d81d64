/// What is known about processors by name.
///
/// LLVM's C interface tells the features of the machine it runs on, and of no other.
enum ProcessorTable {
  struct Entry {
    let name: String
    let features: [String]
    let tuning: String
  }

  /// The processors of an architecture that have names.
  static func entries(_ architecture: Architecture) -> [Entry] {
    switch architecture {
    case .x86: x86
    case .arm: arm
    }
  }

  /// The extensions of an architecture that make a difference to the generated code; `processor.c` tells trainers which are there.
  static func relevantFeatures(_ architecture: Architecture) -> [String] {
    switch architecture {
    case .x86: amx
    case .arm: ["neon", "bf16"]
    }
  }

  private static let x86 =
    group(["x86-64"], [], "x86-64") + group(["x86-64-v2", "nehalem", "westmere", "silvermont", "goldmont", "tremont"], second)
    + group(["sandybridge", "btver2"], second + ["avx"])
    + group(["ivybridge"], second + ["avx", "f16c"])
    + group(["bdver2"], second + ["avx", "fma", "f16c"])
    + group(["haswell", "broadwell", "skylake", "x86-64-v3", "alderlake", "znver1", "znver2", "znver3"], third)
    + group(
      ["skylake-avx512", "cascadelake", "icelake-client", "icelake-server", "tigerlake", "rocketlake"], fourth)
    + group(["cooperlake"], fourth + ["avx512bf16"])
    + group(["sapphirerapids"], amx)
    + group(["x86-64-v4"], fourth, "icelake-server")
    + group(["znver4", "znver5"], fourth + ["avx512bf16"], "icelake-server")

  private static let second = ["sse3", "ssse3", "sse4.1", "sse4.2"]
  private static let third = second + ["avx", "avx2", "fma", "f16c", "bmi", "bmi2"]
  private static let fourth = third + ["avx512f", "avx512bw", "avx512dq", "avx512vl"]
  private static let amx = fourth + ["avx512bf16", "amx-tile", "amx-bf16"]

  private static let arm =
    group(["armv8-a"], ["neon"], "generic")
    + group(["cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n1", "apple-m1"], ["neon"])
    + group(["neoverse-v1", "neoverse-n2"], ["neon", "bf16"])

  private static func group(_ names: [String], _ features: [String], _ tuning: String? = nil) -> [Entry] {
    names.map { Entry(name: $0, features: features, tuning: tuning ?? ($0.hasPrefix("x86-64") ? "x86-64" : $0)) }
  }
}
