import Foundation
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMLanguage
import WaMIMTraining

/// Random models of what is done to rows, compiled in every way, against the interpreter.
struct RandomRowTests {
  /// How many; `make random` asks for more.
  static let count = ProcessInfo.processInfo.environment["WAMIM_RANDOM_MODELS"].flatMap { Int($0) } ?? 16

  /// Models are compiled in turn as they are, with a pass left out, and with products from OpenBLAS.
  private static let options =
    [[]] + (AgreementTests.optional.map { ["--disable", $0] } + [["--matmul", "openblas"]]).flatMap { [[], $0] }

  @Test func workOnRowsAgreesWithTheInterpreter() throws {
    let seed =
      ProcessInfo.processInfo.environment["WAMIM_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64(UInt32.max))
    print("WAMIM_SEED=\(seed)")
    // All of a model follows from its own seed, with which it can be compiled again alone.
    for seed in (0..<UInt64(Self.count)).map({ seed &+ $0 }) {
      let source = try Language.print(Model(RandomRowGraph.draw(seed: seed)))
      let options = Self.options[Int(seed % UInt64(Self.options.count))]
      try AgreementTests.checkGradients(
        of: source, options: options, seed: seed, tolerance: 1e-4, magnitude: [1], "seed \(seed)")
    }
  }
}
