import CUDASupport
import Foundation
import WaMIMCUDA

/// Runs small programs and kernels on the driver's GPU, and prints a line of JSON for each check: its name, whether all is good, and why.
///
///     gpu-kernels calibrate             the emulator's bits against the GPU's
///     gpu-kernels models                the names of models, a line each
///     gpu-kernels MODEL PRECISION       each call of a model against its kernel, and the whole against the interpreter
///     gpu-kernels random PRECISION      the same of 20 random programs
@main
struct GPUKernels {
  /// A line that is printed.
  private struct Row: Encodable {
    var check: String
    var good: Bool
    var result: String
  }

  static func main() {
    do {
      try run(Array(CommandLine.arguments.dropFirst()))
    } catch {
      FileHandle.standardError.write(Data("error: \(error)\n".utf8))
      exit(1)
    }
  }

  private static func run(_ words: [String]) throws {
    switch (words.first, words.count) {
    case ("models", 1): for name in SmallModels.settings.keys.sorted() { print(name) }
    case ("calibrate", 1): try calibrate()
    case ("random", 2): try random(precision: words[1])
    case (let name?, 2): try model(name, precision: words[1])
    default: throw DeviceError(description: "usage: gpu-kernels calibrate | models | random PRECISION | MODEL PRECISION")
    }
  }

  private static func calibrate() throws {
    let device = try DriverDevice()
    for outcome in try Calibration.run({ try DriverKernels(ptx: $0, on: device) }) {
      let error = outcome.error.map { String(format: ", largest relative error %.1e", $0) } ?? ""
      try tell(
        Row(
          check: "emulator, \(outcome.program)", good: outcome.isGood,
          result: "\(outcome.equalWords) of \(outcome.words) numbers have the emulator's bits\(error)"))
    }
  }

  private static func model(_ name: String, precision: String) throws {
    guard let settings = SmallModels.settings[name], let limits = SmallModels.limits[precision] else {
      throw DeviceError(description: "there is no model '\(name)' in '\(precision)'")
    }
    let device = try DriverDevice()
    for (backend, architecture) in try backends(for: device, precision: precision) {
      var summary = Summary()
      let agreement = try ProgramAgreement(SmallModels.model(name, settings, precision: precision), backend) {
        try DriverKernels(ptx: $0, on: device)
      }
      try agreement.check(limits) { summary.add($0) }
      try tell(Row(check: "kernels, \(name), \(precision), \(architecture)", good: summary.isGood, result: summary.text))
    }
  }

  private static func random(precision: String) throws {
    let device = try DriverDevice()
    guard let limits = RandomPrograms.limits[precision] else {
      throw DeviceError(description: "there is no precision '\(precision)'")
    }
    var summary = Summary()
    for seed in 0..<20 as Range<UInt64> {
      let agreement = try ProgramAgreement(RandomPrograms.model(seed: seed, precision: precision)) {
        try DriverKernels(ptx: $0, on: device)
      }
      try agreement.check(seed: seed, limits) { summary.add($0) }
    }
    try tell(Row(check: "kernels, 20 random programs, \(precision)", good: summary.isGood, result: summary.text))
  }

  /// Code for all GPUs, and in bf16 that for Hopper where it is one, with products of warp groups wherever they can be.
  private static func backends(
    for device: DriverDevice, precision: String
  ) throws -> [(backend: CUDABackend, architecture: String)] {
    let usual = (backend: CUDABackend(), architecture: "sm_80")
    guard device.capability == 90, precision == "bf16" else { return [usual] }
    return [usual, (try .hopper(tile: 3), "sm_90a")]
  }

  private static func tell(_ row: Row) throws {
    print(String(decoding: try JSONEncoder().encode(row), as: UTF8.self))
  }
}

/// What came of many comparisons.
private struct Summary {
  private var count = 0
  private var wrong = 0
  private var worst: ProgramAgreement.Finding?

  var isGood: Bool { wrong == 0 && count > 0 }

  mutating func add(_ finding: ProgramAgreement.Finding) {
    count += 1
    if !finding.isGood { wrong += 1 }
    func share(_ finding: ProgramAgreement.Finding) -> Double { finding.error / finding.limit }
    if worst.map({ share(finding) > share($0) }) ?? true { worst = finding }
  }

  var text: String {
    guard let worst else { return "nothing was compared" }
    let error = String(format: "%.1e of at most %.0e", worst.error, worst.limit)
    return "\(wrong) of \(count) comparisons are beyond their bound; the nearest to it is \(error), \(worst.subject)"
  }
}
