import Foundation
import TestSupport
import Testing
import WaMIMGraph
import WaMIMTraining

/// Whether all is tried that can be, as `make test-cuda` does.
private let isThorough = ProcessInfo.processInfo.environment["WAMIM_THOROUGH"] != nil

/// The model of every file of `graphs`, emulated whole, against the interpreter.
@Suite(.enabled(if: hasDeviceCompiler, deviceCompilerNote)) struct GraphTests {
  private static let vit = ["image=32", "patch=4", "dim=48", "heads=3", "batch=2"]
  private static let levels = [
    "depth=4", "taps=[1, 2, 3, 4]", "levels=[1, 2, 3, 4]", "weights=[0.8, 0.9, 1.1, 1.2]", "decoder_dim=32", "decoder_heads=4",
  ]
  private static let swin = ["image=32", "patch=1", "window=4", "dim=8", "depths=[2, 1, 2, 1]", "heads=[1, 2, 2, 4]", "batch=2"]
  private static let swinLevels = ["decoder_dim=8", "decoder_heads=2", "levels=[1, 2, 3, 3]"]

  /// What makes the model of each file small.
  private static let settings: [String: [String]] = [
    "wamim_vit_demo": vit + levels,
    "wamim_vit_tiny": vit + levels + ["wavelet=db2", "subbands=all"],
    "wamim_vit_small": vit + levels + ["normalization=token", "batch=3", "ratio=0.6"],
    "wamim_vit_base": vit + levels + ["wavelet=bior4.4", "batch=1"],
    "wamim_vit_large": vit + levels + ["wavelet=sym4", "normalization=none"],
    "wamim_swin_demo": swin + swinLevels,
    "wamim_swin_tiny": swin + swinLevels + ["tap=stage", "batch=3"],
    "wamim_swin_small": swin + swinLevels + ["ratio=0.5", "subbands=all"],
    "wamim_swin_base": swin + swinLevels + ["batch=1", "depths=[1, 2, 1, 2]"],
    "mae_vit": vit + ["depth=2", "decoder_dim=32", "decoder_depth=2", "decoder_heads=4"],
    "simmim_vit": vit + ["depth=3", "unit=8", "drop_path=0.4"],
    "localmim_vit": vit + ["depth=4", "taps=[1, 2, 3, 4]", "cells=[2, 4, 8, 16]", "decoder_dim=32", "decoder_heads=4"],
    "simmim_swin": swin,
    "localmim_swin": swin + ["widths=[8, 16, 16, 16]", "decoder_heads=2", "ratio=0.6"],
    "greenmim_swin": swin + ["decoder_dim=24", "decoder_heads=4"],
    "finetune_vit": vit + ["depth=2", "classes=5", "drop_path=0.3"],
    "finetune_swin": swin + ["classes=5", "drop_path=0.3"],
    "probe_vit": vit + ["depth=2", "classes=5"],
    "probe_swin": ["image=16"] + swin.dropFirst().dropLast() + ["classes=5", "batch=6"],
    "features_vit": vit + ["depth=2"],
    "features_swin": swin,
  ]

  @Test func everyFileHasASmallModel() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: ProgramAgreement.folder.path)
    #expect(Set(files.filter { $0.hasSuffix(".wg") }.map { String($0.dropLast(3)) }) == Set(Self.settings.keys))
  }

  /// The files that are tried in every order: all, or those that `WAMIM_GRAPHS` names, between commas, as one takes minutes.
  private static let tried: [String] = {
    let named = ProcessInfo.processInfo.environment["WAMIM_GRAPHS"]?.split(separator: ",").map(String.init)
    return settings.keys.sorted().filter { named?.contains($0) ?? true }
  }()

  /// Each call within what is asked of one kernel, and the whole, where roundings to bf16 add up, within twice that.
  @Test(.enabled(if: isThorough), arguments: tried, [("f32", 1e-5, 1e-5), ("bf16", 1e-2, 2e-2)])
  func everyModelAgreesInEveryOrder(name: String, limits: (precision: String, call: Double, whole: Double)) throws {
    let model = try ProgramAgreement.model(name, Self.settings[name] ?? [], precision: limits.precision)
    try ProgramAgreement.check(model, orders: 0...4, limit: limits.whole, callLimit: limits.call)
  }

  /// Base models with as many blocks as they need at least.
  private static let base = [
    "wamim_vit_base": ["batch=1", "depth=4", "taps=[1, 2, 3, 4]"], "wamim_swin_base": ["batch=1", "depths=[2, 2, 2, 2]"],
  ]

  /// Whole rows, tiles and blocks, as small models have none of. What a model of this size rounds to a neighbour adds up.
  ///
  /// One after the other, as the interpreter takes gigabytes for each.
  @Test(.enabled(if: isThorough), .serialized, arguments: base.keys.sorted())
  func baseModelsAgree(name: String) throws {
    let model = try ProgramAgreement.model(name, Self.base[name] ?? [], precision: "bf16")
    try ProgramAgreement.check(model, orders: 0...1, limit: 2e-2, callLimit: 1e-2)
  }

  /// A product makes sums of what it multiplies on the way, but not those that it needs itself, at once or by a detour.
  @Test(arguments: [false, true]) func aProductThatNeedsSumsDoesNotMakeThem(isDetour: Bool) throws {
    let builder = GraphBuilder(name: "needs")
    _ = builder.input("images", [2, 3, 8, 8])
    let weight = builder.parameter("weight", [24, 16], .normal(standardDeviation: 1))
    let right = builder.parameter("right", [24, 8], .normal(standardDeviation: 1))
    let left = weight.applying(.hyperbolicTangent)
    let sums = left.sum([0]).reshaped([1, 16])
    let seen = isDetour ? right * sums.sum([1]).reshaped([1, 1]).applying(.hyperbolicTangent) : right
    let product = left.matmul(seen, transposeLeft: true)
    let result = isDetour ? product : product + sums.reshaped([16, 1])
    builder.output("sums", sums)
    builder.output("y", result)
    builder.minimize(result.applying(.hyperbolicTangent).total())
    try ProgramAgreement.check(Model(builder.finish()), orders: 0...1, limit: 1e-4, magnitude: 1)
  }

  /// Random programs; `WAMIM_SEED` draws the same again.
  @Test(arguments: ["f32", "bf16"]) func randomProgramsAgreeInEveryOrder(precision: String) throws {
    let count = isThorough ? 100 : 2
    let seed =
      ProcessInfo.processInfo.environment["WAMIM_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64(UInt32.max))
    print("WAMIM_SEED=\(seed)")
    for seed in (0..<UInt64(count)).map({ seed &+ $0 }) {
      var model = Model(try RandomRowGraph.draw(seed: seed))
      model.recipe[choice: .precision] = precision
      let (call, whole) = precision == "f32" ? (1e-5, 1e-4) : (1e-2, 2e-2)
      try ProgramAgreement.check(model, orders: 0...4, seed: seed, limit: whole, callLimit: call, magnitude: 1)
    }
  }
}
