import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// What lies between the trainer and what computes.
@Suite("Device", .serialized) struct DeviceTests {
  /// Runs the trainer on devices with memory of their own.
  private func trainElsewhere(_ arguments: [String], log: DeferredDevice.Log = .init(), failsAt: Int? = nil) -> Int32 {
    DeviceMaker.$current.withValue(DeferredDevice.maker(log: log, failsAt: failsAt)) { train(arguments) }
  }

  @Test(
    "A run on a device with memory of its own ends with the bits of one on the processor",
    arguments: [[], ["--batch-accumulation", "3"], ["--val", "synthetic:10", "--log-every", "1"], ["--check-values"]])
  func bits(more: [String]) throws {
    let folder = try TemporaryFolder()
    let words = ["fit", "--data", "synthetic:40", "--epochs", "2", "--loader-threads", "3"] + more
    #expect(train(words + ["--out", folder["here"], "--threads", "2"]) == 0)
    #expect(trainElsewhere(words + ["--out", folder["there"], "--threads", "3"]) == 0)
    #expect(try folder.read("here/checkpoint.safetensors") == folder.read("there/checkpoint.safetensors"))
  }

  @Test("A run goes from one device to another and back")
  func resumption() throws {
    let folder = try TemporaryFolder()
    let words = ["fit", "--data", "synthetic:40", "--epochs", "2"]
    #expect(train(words + ["--out", folder["whole"]]) == 0)
    #expect(train(words + ["--out", folder["cut"], "--limit-steps", "4"]) == 0)
    #expect(trainElsewhere(["fit", "--resume", folder["cut"], "--limit-steps", "9"]) == 0)
    #expect(train("fit", "--resume", folder["cut"]) == 0)
    #expect(try folder.read("cut/checkpoint.safetensors") == folder.read("whole/checkpoint.safetensors"))
  }

  @Test("Gradients, pictures and measurements come from any device")
  func commands() throws {
    let folder = try TemporaryFolder()
    #expect(train("fit", "--data", "synthetic:8", "--epochs", "1", "--out", folder["run"]) == 0)
    let program = try fakeProgram()
    let numbers = RandomNumbers(seed: 6, purpose: .benchmark)
    let given = program.manifest.inputs.prefix(2).map(\.tensor) + program.parameters
    try write(
      given.map { tensor in (tensor.name, tensor.shape, (0..<tensor.count).map { numbers.uniform(at: UInt64($0)) }) },
      to: folder["in"])
    for (name, run) in [("here", { train($0) }), ("there", { trainElsewhere($0) })] as [(String, ([String]) -> Int32)] {
      #expect(run(["grad", "--input", folder["in"], "--output", folder["\(name).grad"], "--adamw-steps", "2"]) == 0)
      #expect(
        run([
          "reconstruct", "--checkpoint", folder["run"], "--data", "synthetic:9", "--count", "6", "-o", folder["\(name).png"],
        ]) == 0)
      #expect(run(["bench", "--steps", "2", "--json", "--profile", folder["\(name).json"]]) == 0)
    }
    for file in ["grad", "png"] { #expect(try folder.read("here.\(file)") == folder.read("there.\(file)")) }
  }

  @Test("Scalars go to the device once a step, images and noise once a round", arguments: [1, 3])
  func transfers(batches: Int) throws {
    let folder = try TemporaryFolder()
    let log = DeferredDevice.Log()
    let words = ["fit", "--data", "synthetic:36", "--epochs", "1", "--pictures", "0", "--out", folder["run"]]
    #expect(trainElsewhere(words + ["--batch-accumulation", "\(batches)"], log: log) == 0)
    let (steps, counts) = (9 / batches, log.total)
    #expect(counts.scalarUploads == steps)
    #expect(counts.imageUploads == 9 && counts.announcements == 9)
    // Once for all initial values.
    #expect(counts.fills == 1 + 9 && counts.uploads == 0)
    #expect(counts.runs == (batches == 1 ? steps : 9 + steps))
  }

  @Test("A device that fails ends the run with its message, and the last checkpoint stays")
  func failure() throws {
    let folder = try TemporaryFolder()
    let words = ["fit", "--data", "synthetic:40", "--epochs", "1", "--out"]
    #expect(train(words + [folder["good"], "--limit-steps", "4"]) == 0)
    #expect(trainElsewhere(words + [folder["run"], "--every", "4", "--pictures", "0"], failsAt: 7) == 1)
    #expect(try tensors(folder["run/checkpoint.safetensors"]) == tensors(folder["good/checkpoint.safetensors"]))
    #expect(train("fit", "--resume", folder["run"]) == 0)
  }

  @Test("Nothing outside the processor's files names its memory or its threads' work")
  func sources() throws {
    let runtime = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../codegen/runtime")
      .standardizedFileURL
    let files = try #require(FileManager.default.enumerator(atPath: runtime.path)).compactMap { $0 as? String }
      .filter { $0.hasSuffix(".swift") }
    #expect(files.count > 50)
    let words = ["ProgramMemory", "Executor", "arena.base", "accumulators.base", "memory.arena", "memory.accumulators"]
    var found: Set<String> = []
    for file in files {
      let text = try String(contentsOf: runtime.appendingPathComponent(file), encoding: .utf8)
      for word in words where text.contains(word) {
        found.insert(word)
        #expect(file.hasPrefix("Execution/"), "\(file) mentions \(word)")
      }
    }
    // The words are those that the processor's files use.
    #expect(found.isSuperset(of: ["ProgramMemory", "Executor", "arena.base", "accumulators.base"]))
  }
}
