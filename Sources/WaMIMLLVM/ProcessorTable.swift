/// What is known about the processors of this machine's architecture.
///
/// LLVM's C interface tells the features of the machine it runs on, and of no other.
enum ProcessorTable {
  struct Entry {
    let name: String
    let features: [String]
    let tuning: String
  }

  #if arch(x86_64)
    static let baseline = "x86-64"
    static let hasFusedMultiplyAddAlways = false
    /// The extensions that make a difference to the generated code.
    static let relevantFeatures = second + third.dropFirst(second.count) + fourth.dropFirst(third.count)
    static let entries =
      group(["x86-64"], [], "x86-64") + group(["x86-64-v2", "nehalem", "westmere", "silvermont", "goldmont", "tremont"], second)
      + group(["sandybridge", "btver2"], second + ["avx"])
      + group(["ivybridge"], second + ["avx", "f16c"])
      + group(["bdver2"], second + ["avx", "fma", "f16c"])
      + group(["haswell", "broadwell", "skylake", "x86-64-v3", "alderlake", "znver1", "znver2", "znver3"], third)
      + group(
        ["skylake-avx512", "cascadelake", "icelake-client", "icelake-server", "tigerlake", "rocketlake", "sapphirerapids"], fourth)
      + group(["x86-64-v4", "znver4", "znver5"], fourth, "icelake-server")

    private static let second = ["sse3", "ssse3", "sse4.1", "sse4.2"]
    private static let third = second + ["avx", "avx2", "fma", "f16c", "bmi", "bmi2"]
    private static let fourth = third + ["avx512f", "avx512bw", "avx512dq", "avx512vl"]
  #else
    static let baseline = "generic"
    static let hasFusedMultiplyAddAlways = true
    static let relevantFeatures = ["neon"]
    static let entries = group(
      ["generic", "cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n1", "neoverse-v1", "neoverse-n2", "apple-m1"], ["neon"])
  #endif

  private static func group(_ names: [String], _ features: [String], _ tuning: String? = nil) -> [Entry] {
    names.map { Entry(name: $0, features: features, tuning: tuning ?? ($0.hasPrefix("x86-64") ? "x86-64" : $0)) }
  }
}
