import Foundation
import TestSupport
import Testing
import WaMIMCUDA

/// Trainers for GPUs of several models whole, as `make test-cuda` runs them.
@Suite(
  "Models on GPUs", .enabled(if: Thoroughness.isThorough, "make test-cuda"),
  .enabled(if: (try? DeviceCompiler()) != nil, "there is no compiler for GPUs: make test-dependencies installs clang-14"))
struct CUDAModelTests {
  /// A model of `graphs` and what makes it small.
  struct Model: CustomTestStringConvertible {
    var name: String
    var settings: [String]
    var testDescription: String { name }
  }

  private static let swin = ["image=32", "patch=1", "window=4", "dim=8", "depths=[2, 1, 1, 1]", "heads=[1, 2, 2, 4]", "batch=2"]

  static let models = [
    Model(name: "wamim_vit_demo", settings: AgreementTests.golden),
    Model(name: "wamim_swin_demo", settings: swin + ["decoder_dim=8", "decoder_heads=2", "levels=[1, 2, 3, 3]"]),
    Model(
      name: "mae_vit",
      settings: ["image=32", "patch=8", "dim=24", "depth=2", "heads=3", "decoder_dim=16", "decoder_depth=2", "batch=2"]),
    // Without drop path, for which the forward pass that is compared would be another one.
    Model(
      name: "simmim_vit",
      settings: ["image=32", "patch=4", "dim=24", "depth=2", "heads=3", "unit=8", "drop_path=0.0", "batch=2"]),
  ]

  private static let words = "fit --data synthetic:15 --epochs 1 --limit-steps 5 --pictures 0 --every 1 --threads 2"

  @Test("The golden case holds") func golden() throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    try workshop.compile("wamim_vit_demo", AgreementTests.golden, options: ["--target", "cuda"], to: "gpu")
    let result = try gpu.run(AgreementTests.goldenWords("vit-tiny").joined(separator: " "), in: workshop)
    try #require(result.status == 0, "\(result.errors)")
    try AgreementTests.expectGolden("vit-tiny", in: workshop.path("out.safetensors"))
  }

  @Test("Gradients are the interpreter's", arguments: models) func gradients(model: Model) throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    try workshop.compile(model.name, model.settings, options: ["--target", "cuda"], to: "gpu")
    let expected = try AgreementTests.expectedResults(model.name, model.settings, workshop)
    let result = try gpu.run("grad --input in.safetensors --output out.safetensors", in: workshop)
    try #require(result.status == 0, "\(result.errors)")
    try AgreementTests.expect(workshop.path("out.safetensors"), agreesWith: expected)
  }

  @Test("Five steps are the processor's, whether a run is killed and resumed, or goes from one to the other", arguments: models)
  func steps(model: Model) throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    try workshop.compile(model.name, model.settings, options: ["--target", "cuda"], to: "gpu")
    try workshop.compile(model.name, model.settings, to: "cpu")
    try succeed("gpu", "\(Self.words) --out whole", gpu, workshop)
    try succeed("gpu", "\(Self.words) --out cut --limit-steps 2", gpu, workshop)
    try kill("fit --resume cut --limit-steps 5", whenStepIsDone: 3, of: "cut", gpu, workshop)
    try succeed("gpu", "fit --resume cut --limit-steps 5", gpu, workshop)
    #expect(try checkpoint("cut", of: workshop) == checkpoint("whole", of: workshop))

    try succeed("cpu", "\(Self.words) --out cpu.run", gpu, workshop)
    try succeed("gpu", "\(Self.words) --out mixed --limit-steps 2", gpu, workshop)
    try succeed("cpu", "fit --resume mixed --limit-steps 4", gpu, workshop)
    try succeed("gpu", "fit --resume mixed --limit-steps 5", gpu, workshop)
    // Parameters whose gradients are nothing but rounding go either way.
    let expected = try workshop.losses(of: "cpu.run")
    for run in ["whole", "mixed"] {
      let losses = try workshop.losses(of: run)
      #expect(losses.count == 5 && relativeError(losses, expected) < 1e-4, "\(run): \(losses) \(expected)")
    }
  }

  private func succeed(_ trainer: String, _ words: String, _ gpu: EmulatedGPU, _ workshop: borrowing Workshop) throws {
    let result = try gpu.run(words, trainer: trainer, in: workshop)
    try #require(result.status == 0, "\(trainer) \(words): \(result.errors)")
  }

  private func checkpoint(_ run: String, of workshop: borrowing Workshop) throws -> [String: Safetensors.Tensor] {
    try Safetensors(contentsOf: workshop.path("\(run)/checkpoint.safetensors")).tensors
  }

  /// Runs the trainer for GPUs until a step of a run is done, and kills it.
  private func kill(
    _ words: String, whenStepIsDone step: Int, of run: String, _ gpu: EmulatedGPU, _ workshop: borrowing Workshop
  ) throws {
    let script = """
      ./gpu \(words) & p=$!; until [ $(wc -l < \(run)/metrics.jsonl) -ge \(step) ] || ! kill -0 $p; do sleep 0.02; done
      kill -KILL $p; wait $p
      """
    let result = try workshop.run("/bin/bash", ["-c", script], environment: gpu.environment)
    try #require(result.status == 137, "\(result.status) \(result.errors)")
  }
}
