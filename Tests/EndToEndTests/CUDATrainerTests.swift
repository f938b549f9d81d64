import Foundation
import TestSupport
import Testing
import WaMIMCUDA

/// Trainers for GPUs, on emulated ones, beside those for this machine's processor.
@Suite(
  "Trainers for GPUs",
  .enabled(if: (try? DeviceCompiler()) != nil, "there is no compiler for GPUs: make test-dependencies installs clang-14"))
struct CUDATrainerTests {
  /// A model that is emulated in no time.
  private static let small = [
    "image=16", "patch=4", "dim=24", "depth=2", "heads=3", "taps=[1, 2]", "levels=[1, 2]", "weights=[1.0, 0.5]", "decoder_dim=16",
    "decoder_heads=2", "batch=2",
  ]

  private static let words = "fit --data synthetic:8 --epochs 1 --pictures 0 --every 1 --threads 2"

  private func compile(in workshop: borrowing Workshop, precision: String = "f32") throws {
    try workshop.compile("wamim_vit_demo", Self.small, options: ["--target", "cuda", "--precision", precision], to: "gpu")
  }

  private func compileForCPU(in workshop: borrowing Workshop, precision: String = "f32") throws {
    try workshop.compile("wamim_vit_demo", Self.small, options: ["--precision", precision], to: "cpu")
  }

  private func tensors(_ name: String, of workshop: borrowing Workshop) throws -> [String: Safetensors.Tensor] {
    try Safetensors(contentsOf: workshop.path(name)).tensors
  }

  /// Expects every tensor of `actual` to be that of `expected`, but for a relative error.
  private func expect(
    _ actual: [String: Safetensors.Tensor], agrees expected: [String: Safetensors.Tensor], within tolerance: Double
  ) {
    #expect(Set(actual.keys) == Set(expected.keys))
    for (name, tensor) in expected {
      let error = relativeError(actual[name]?.elements ?? [], tensor.elements)
      #expect(error <= tolerance, "\(name): \(error)")
    }
  }

  /// In bf16 numbers that lie between two are rounded to either, and what follows differs.
  @Test("Gradients and steps are those of the processor", arguments: [("f32", 2e-5), ("bf16", 2e-2)])
  func gradients(precision: String, tolerance: Double) throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    try compile(in: workshop, precision: precision)
    try compileForCPU(in: workshop, precision: precision)
    _ = try AgreementTests.expectedResults("wamim_vit_demo", Self.small, workshop)
    for (trainer, output) in [("cpu", "cpu.out"), ("gpu", "gpu.out")] {
      let result = try gpu.run("grad --input in.safetensors --output \(output) --threads 2", trainer: trainer, in: workshop)
      try #require(result.status == 0, "\(result.errors)")
    }
    try expect(tensors("gpu.out", of: workshop), agrees: tensors("cpu.out", of: workshop), within: tolerance)
  }

  @Test("A run that is left and resumed, or that a lost GPU ends, has the bits of one that was not, in any order of threads")
  func resumption() throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    try compile(in: workshop)
    let whole = try gpu.run("\(Self.words) --out whole", in: workshop)
    try #require(whole.status == 0, "\(whole.errors)")
    #expect(whole.output.contains("Emulated A (GPU 0)"), "\(whole.output)")
    let cut = try gpu.run("\(Self.words) --out cut --limit-steps 2", in: workshop)
    try #require(cut.status == 0, "\(cut.errors)")
    // In the middle of the first step of those that are left.
    let lost = try gpu.run("fit --resume cut", ["LOSE_AT": 60], in: workshop)
    #expect(lost.status == 1 && lost.errors.contains("CUDA_ERROR_UNKNOWN"), "\(lost.errors)")
    #expect(lost.errors.contains("The last checkpoint, of step 2, is kept. To continue: "), "\(lost.errors)")
    let end = try gpu.run("fit --resume cut", ["ORDER": 2], in: workshop)
    try #require(end.status == 0, "\(end.errors)")
    #expect(try tensors("cut/checkpoint.safetensors", of: workshop) == tensors("whole/checkpoint.safetensors", of: workshop))
  }

  @Test("A run goes from a GPU to the processor and back", arguments: [("f32", 1e-4), ("bf16", 1e-2)])
  func exchange(precision: String, tolerance: Double) throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    try compile(in: workshop, precision: precision)
    try compileForCPU(in: workshop, precision: precision)
    for words in [
      "gpu \(Self.words) --out mixed --limit-steps 1", "cpu fit --resume mixed --limit-steps 3", "gpu fit --resume mixed",
    ]
      + ["cpu \(Self.words) --out whole"]
    {
      let result = try gpu.run(String(words.dropFirst(4)), trainer: String(words.prefix(3)), in: workshop)
      try #require(result.status == 0, "\(words): \(result.errors)")
    }
    let (mixed, whole) = (try workshop.losses(of: "mixed"), try workshop.losses(of: "whole"))
    #expect(mixed.count == 4 && whole.count == 4)
    #expect(relativeError(mixed, whole) < tolerance, "\(mixed) \(whole)")
  }

  @Test("Running means, several batches a step and evaluation are as on the processor")
  func averages() throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    try compile(in: workshop)
    try compileForCPU(in: workshop)
    let words = "fit --data synthetic:8 --epochs 1 --pictures 0 --batch-accumulation 2 --ema 0.5 --val synthetic:4"
    for trainer in ["cpu", "gpu"] {
      let result = try gpu.run("\(words) --out \(trainer).run", trainer: trainer, in: workshop)
      try #require(result.status == 0, "\(result.errors)")
    }
    let (actual, expected) = (try workshop.losses(of: "gpu.run"), try workshop.losses(of: "cpu.run"))
    #expect(actual.count == 4 && relativeError(actual, expected) < 1e-4, "\(actual) \(expected)")
  }

  /// Images are erased and mixed on the GPU; those of micro-batches with partners that wait in other slots.
  @Test("A classifier learns and predicts as on the processor", arguments: [[], ["--micro-batch", "1"]])
  func classifier(options: [String]) throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    let settings = ["size=demo", "image=16", "patch=4", "dim=24", "depth=2", "heads=3", "classes=2", "batch=2"]
    try workshop.compile("finetune_vit", settings, options: ["--target", "cuda"] + options, to: "gpu")
    try workshop.compile("finetune_vit", settings, options: options, to: "cpu")
    let picture = try Data(contentsOf: Workshop.repository.appendingPathComponent("Tests/WaMIMRuntimeTests/Fixtures/picture.jpg"))
    let other = try Data(
      contentsOf: Workshop.repository.appendingPathComponent("Tests/WaMIMRuntimeTests/Fixtures/turned-2.png"))
    for (name, bytes) in [("first/a", picture), ("first/b", other), ("second/a", other), ("second/b", picture)] {
      let file = URL(fileURLWithPath: workshop.path("data/\(name)"))
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try bytes.write(to: file)
    }
    for trainer in ["cpu", "gpu"] {
      let words = "fit --data data --val data --epochs 3 --random-erasing 0.8 --mixup 0.8 --cutmix 1"
      let result = try gpu.run("\(words) --out \(trainer).run", trainer: trainer, in: workshop)
      try #require(result.status == 0, "\(result.errors)")
    }
    let (actual, expected) = (try workshop.losses(of: "gpu.run"), try workshop.losses(of: "cpu.run"))
    #expect(actual.count == 9 && relativeError(actual, expected) < 1e-4, "\(actual) \(expected)")
  }

  /// What a GPU of some compute capability runs with a driver of some version, out of a trainer for several architectures.
  private static let choices: [(capability: Int, version: Int, message: String)] = [
    (80, 12_080, "runs that for sm_80\n"), (89, 12_080, "runs that for sm_80\n"), (90, 12_080, "runs that for sm_90a\n"),
    (100, 12_080, "runs that for sm_100a\n"), (103, 12_080, "runs that for sm_80\n"), (90, 11_080, "runs that for sm_80\n"),
    (75, 12_080, "has compute capability 7.5, and this program needs 8.0 or newer, or 9.0 exactly, or 10.0 exactly"),
  ]

  @Test("A trainer for several architectures runs the best that GPU and driver can take")
  func architectures() throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    try workshop.compile("wamim_vit_demo", Self.small, options: ["--target", "cuda:sm_80,sm_90a,sm_100a"], to: "gpu")
    for (capability, version, message) in Self.choices {
      let result = try gpu.run("info", ["CAPABILITY": capability, "VERSION": version], in: workshop)
      #expect(result.status == 0 && result.output.contains("code          for sm_80, sm_90a, sm_100a; "), "\(result.errors)")
      #expect(result.output.contains(message), "\(capability), \(version): \(result.output)")
    }
    let run = try gpu.run("\(Self.words) --out run", ["CAPABILITY": 90], in: workshop)
    #expect(run.status == 0, "\(run.errors)")
    try workshop.compile("wamim_vit_demo", Self.small, options: ["--target", "cuda:sm_90a"], to: "hopper")
    let other = try gpu.run("bench", ["CAPABILITY": 100], trainer: "hopper", in: workshop)
    #expect(other.status == 1 && other.errors.contains("10.0, and this program needs 9.0 exactly"), "\(other.errors)")
    let old = try gpu.run("bench", ["CAPABILITY": 90, "VERSION": 11_080], trainer: "hopper", in: workshop)
    #expect(old.status == 1 && old.errors.contains("needs one for CUDA 12.0 or newer"), "\(old.errors)")
  }

  @Test("Products are held against cuBLASLt's, where there is one")
  func comparison() throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    let options = ["--target", "cuda:sm_80", "--precision", "bf16", "--matmul", "cublas"]
    try workshop.compile("wamim_vit_demo", Self.small, options: options, to: "gpu")
    let missing = try gpu.run("bench --steps 1", in: workshop)
    #expect(missing.status == 1 && missing.errors.contains("compared with cuBLASLt (--matmul cublas), which"), "\(missing.errors)")
    try gpu.addCUBLAS(in: workshop)
    let shown = try gpu.run("bench --steps 1", in: workshop)
    #expect(shown.status == 0 && shown.output.contains(" x 24 x 24"), "\(shown.output)\(shown.errors)")
    let json = try gpu.run("bench --steps 1 --json", in: workshop)
    #expect(json.status == 0 && json.output.contains("\"cublas_seconds\""), "\(json.errors)")
  }

  /// The batch is large enough for warp groups to be worth while.
  @Test(
    "Products by warp groups learn as the processor's do", .enabled(if: Thoroughness.isThorough, "make test-cuda runs it"))
  func warpGroups() throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    let settings = ["size=demo", "image=16", "patch=4", "dim=128", "depth=1", "heads=2", "classes=3", "batch=64"]
    for (target, name) in [("cuda", "gpu"), ("cpu", "cpu")] {
      try workshop.compile("finetune_vit", settings, options: ["--target", target, "--precision", "bf16"], to: name)
    }
    let words = "fit --data synthetic:64 --epochs 2 --every 1 --threads 2"
    for trainer in ["gpu", "cpu"] {
      let result = try gpu.run("\(words) --out \(trainer).run", ["CAPABILITY": 90], trainer: trainer, in: workshop)
      try #require(result.status == 0, "\(result.errors)")
    }
    let information = try gpu.run("info", ["CAPABILITY": 90], in: workshop)
    #expect(information.output.contains("runs that for sm_90a\n"), "\(information.output)")
    let (actual, expected) = (try workshop.losses(of: "gpu.run"), try workshop.losses(of: "cpu.run"))
    #expect(actual.count == 2 && relativeError(actual, expected) < 1e-2, "\(actual) \(expected)")
  }

  /// What goes wrong, and what is said of it.
  private static let faults: [(settings: [String: Int], words: String, message: String)] = [
    (["VERSION": 11020], "bench", "is too old: it knows CUDA 11.2, and this program needs one for CUDA 11.4 or newer"),
    (["DEVICES": 0], "bench", "this process can use none"),
    (["DEVICES": 2], "bench --device 2", "there is no GPU 2: this process can use 2 GPUs, counted from 0"),
    (["CAPABILITY": 75], "bench", "Emulated A (GPU 0) has compute capability 7.5, and this program needs 8.0 or newer"),
    (["MEMORY": 100_000], "bench", "not enough memory on the GPU: this run needs "),
    (["DEVICES": 2, "TAKEN": 1 << 30], "bench --device 1", "Emulated B (GPU 1) has 0 bytes free of 1.00 GiB"),
    (["FULL_AT": 2], "bench", "(CUDA_ERROR_OUT_OF_MEMORY); another process may use the GPU"),
    (["FAIL_AT": 5], "\(words) --out run", "(CUDA_ERROR_LAUNCH_FAILED)"),
    (["LOSE_AT": 1], "\(words) --out run", "There is no checkpoint yet"),
  ]

  @Test("What keeps a GPU from computing is said in a sentence")
  func refusals() throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    try compile(in: workshop)
    for (settings, words, message) in Self.faults {
      let result = try gpu.run(words, settings, in: workshop)
      #expect(result.status == 1 && result.errors.contains(message), "\(settings): \(result.status) \(result.errors)")
    }
    let missing = try workshop.run(workshop.path("gpu"), ["bench"])
    #expect(missing.status == 1 && missing.errors.contains("this machine has no driver for one"), "\(missing.errors)")
    try compileForCPU(in: workshop)
    let elsewhere = try gpu.run("bench --device 1", trainer: "cpu", in: workshop)
    #expect(elsewhere.status == 1 && elsewhere.errors.contains("--device chooses a GPU"), "\(elsewhere.errors)")
  }

  /// Noise that a run asks for is counted where the model's own recipe has none.
  @Test func memoryForNoiseIsPlanned() throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    try compile(in: workshop)
    let needs = try ["", " --random-erasing 0.5"].map { option in
      let result = try gpu.run("\(Self.words) --out run\(option)", ["MEMORY": 100_000], in: workshop)
      #expect(result.status == 1)
      let match = try #require(result.errors.firstMatch(of: /([0-9.]+ [A-Za-z]+) for images/), "\(result.errors)")
      return String(match.1)
    }
    #expect(needs[0] != needs[1], "\(needs)")
  }

  /// Products of bf16 numbers are held against what tensor cores make.
  @Test func tensorCoresAreMeasured() throws {
    let workshop = try Workshop()
    let gpu = try EmulatedGPU(in: workshop)
    try workshop.compile("wamim_vit_demo", Self.small, options: ["--target", "cuda:sm_80", "--precision", "bf16"], to: "gpu")
    let bench = try gpu.run("bench --steps 1", in: workshop)
    #expect(
      bench.output.contains(#/GFLOP\/s in float32, [0-9.]+ on tensor cores, in registers/#), "\(bench.output) \(bench.errors)")
  }
}
