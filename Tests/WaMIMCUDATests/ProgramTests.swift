import CUDASupport
import Testing
import WaMIMCUDA
import WaMIMCompiler

/// Whole schedules as CUDA, emulated, against the interpreter.
@Suite(.enabled(if: hasDeviceCompiler, deviceCompilerNote)) struct ProgramTests {
  private static let small = [
    "image=16", "patch=4", "dim=24", "depth=2", "heads=3", "taps=[1, 2]", "levels=[1, 2]", "weights=[1.0, 0.5]", "decoder_dim=16",
    "decoder_heads=2", "batch=2",
  ]

  private static let smallSwin = [
    "image=32", "patch=1", "window=4", "dim=4", "depths=[2, 1, 1, 1]", "heads=[1, 2, 2, 4]", "decoder_dim=8", "decoder_heads=2",
    "levels=[1, 2, 3, 3]", "batch=2",
  ]

  @Test func aSmallClassifierAgrees() throws {
    let settings = ["size=demo", "image=16", "patch=4", "dim=24", "depth=2", "heads=3", "classes=3", "batch=2"]
    try expectAgreement(of: SmallModels.model("finetune_vit", settings), orders: 0...1)
  }

  /// What a table shared by all samples gets is added up for as many at once as divide the batch, and not for each.
  @Test(arguments: [(8, 8), (24, 12), (34, 2), (17, 1)]) func rowsOfSamplesAreAddedUpTogether(batch: Int, expected: Int) throws {
    let model = try SmallModels.model("wamim_vit_demo", Self.small.dropLast() + ["batch=\(batch)"])
    let program = try Compilation(backend: CUDABackend()).program(for: model, text: "", compiler: "test")
    let bodies = program.kernels.flatMap { kernel -> [KernelBody] in
      if case .parallel(let parallel) = kernel.body { parallel.groups.map(\.kernel.body) } else { [kernel.body] }
    }
    let samples = bodies.compactMap { if case .index(.scatterAdd(let scatter)) = $0 { scatter.samples } else { nil } }
    #expect(!samples.isEmpty && samples.allSatisfy { $0 == expected }, "\(samples)")
  }

  @Test func aSmallSwinAgrees() throws { try expectAgreement(of: SmallModels.model("wamim_swin_demo", Self.smallSwin)) }

  @Test func aSmallModelInMixedPrecisionAgrees() throws {
    try expectAgreement(of: SmallModels.model("wamim_vit_demo", Self.small, precision: "bf16"), orders: 0...2, .init(whole: 1e-2))
  }

  @Test func aSmallModelOnHopperAgreesInEveryOrder() throws {
    let model = try SmallModels.model("wamim_vit_demo", Self.small, precision: "bf16")
    try expectAgreement(of: model, .hopper(tile: 3), orders: 0...4, .init(whole: 1e-2))
  }

  @Test func aSmallModelAgreesInEveryOrder() throws {
    try expectAgreement(of: SmallModels.model("wamim_vit_demo", Self.small), orders: 0...4)
  }
}
