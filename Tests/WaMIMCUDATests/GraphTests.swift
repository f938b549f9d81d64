import CUDASupport
import Foundation
import Testing
import WaMIMGraph
import WaMIMTraining

/// Whether all is tried that can be, as `make test-cuda` does.
private let isThorough = ProcessInfo.processInfo.environment["WAMIM_THOROUGH"] != nil

/// The model of every file of `graphs`, emulated whole, against the interpreter.
@Suite(.enabled(if: hasDeviceCompiler, deviceCompilerNote)) struct GraphTests {
  @Test func everyFileHasASmallModel() throws {
    #expect(try SmallModels.files() == Set(SmallModels.settings.keys))
  }

  /// The files that are tried in every order: all, or those that `WAMIM_GRAPHS` names, between commas, as one takes minutes.
  private static let tried: [String] = {
    let named = ProcessInfo.processInfo.environment["WAMIM_GRAPHS"]?.split(separator: ",").map(String.init)
    return SmallModels.settings.keys.sorted().filter { named?.contains($0) ?? true }
  }()

  @Test(.enabled(if: isThorough), arguments: tried, ["f32", "bf16"])
  func everyModelAgreesInEveryOrder(name: String, precision: String) throws {
    let model = try SmallModels.model(name, SmallModels.settings[name] ?? [], precision: precision)
    try expectAgreement(of: model, orders: 0...4, try #require(SmallModels.limits[precision]))
  }

  /// Base models with as many blocks as they need at least.
  private static let base = [
    "wamim_vit_base": ["batch=1", "depth=4", "taps=[1, 2, 3, 4]"], "wamim_swin_base": ["batch=1", "depths=[2, 2, 2, 2]"],
  ]

  /// Whole rows, tiles and blocks, as small models have none of. What a model of this size rounds to a neighbour adds up.
  ///
  /// One after the other, as the interpreter takes gigabytes for each; and not call by call, which would take hours.
  @Test(.enabled(if: isThorough), .serialized, arguments: base.keys.sorted())
  func baseModelsAgree(name: String) throws {
    let model = try SmallModels.model(name, Self.base[name] ?? [], precision: "bf16")
    try expectAgreement(of: model, orders: 0...1, .init(whole: 2e-2))
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
    try expectAgreement(of: Model(builder.finish()), orders: 0...1, .init(whole: 1e-4, magnitude: 1))
  }

  /// Random programs; `WAMIM_SEED` draws the same again.
  @Test(arguments: ["f32", "bf16"]) func randomProgramsAgreeInEveryOrder(precision: String) throws {
    let count = isThorough ? 100 : 2
    let seed =
      ProcessInfo.processInfo.environment["WAMIM_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64(UInt32.max))
    print("WAMIM_SEED=\(seed)")
    for seed in (0..<UInt64(count)).map({ seed &+ $0 }) {
      let model = try RandomPrograms.model(seed: seed, precision: precision)
      try expectAgreement(of: model, orders: 0...4, seed: seed, try #require(RandomPrograms.limits[precision]))
    }
  }
}
