import CFakeProgram
import Testing
import WaMIMManifest
import WaMIMRuntime

@Suite("Machine") struct MachineTests {
  @Test("A processor without the instructions is refused, and told what it lacks")
  func processor() throws {
    try ProcessorCheck.check(Manifest.Processor(name: "any", features: []))
    // Every processor has one of these, and none both.
    let error = #expect(throws: TrainerError.self) {
      try ProcessorCheck.check(Manifest.Processor(name: "chimera", features: ["sse3", "neon"]))
    }
    let message = error?.message ?? ""
    #expect(message.contains("chimera") && message.contains("sse3") != message.contains("neon"))
  }

  @Test("A run that needs more memory than there is is refused with both numbers")
  func memory() throws {
    let plan = MemoryPlan(rows: [.init(name: "parameters", bytes: 3 << 30), .init(name: "images", bytes: 1 << 20)])
    let error = #expect(throws: TrainerError.self) {
      try MemoryCheck.check(plan, available: AvailableMemory(bytes: 2 << 30, limitedBy: "the machine's free memory"))
    }
    #expect(error?.message.contains("3.00 GiB") == true && error?.message.contains("2.00 GiB") == true)
    try MemoryCheck.check(plan, available: AvailableMemory(bytes: 4 << 30, limitedBy: "the machine's free memory"))
    // What is in use already need not be free.
    let rest = AvailableMemory(bytes: 2 << 30, limitedBy: "the machine's free memory")
    try MemoryCheck.check(plan, held: plan.total - rest.bytes, available: rest)
    #expect(throws: TrainerError.self) { try MemoryCheck.check(plan, held: plan.total - rest.bytes - 1, available: rest) }
  }

  @Test("The operating system's files are understood")
  func limits() {
    #expect(AvailableMemory.machine(meminfo: "MemTotal: 10 kB\nMemAvailable:    2048 kB\n") == 2048 * 1024)
    #expect(AvailableMemory.machine(meminfo: "nothing") == nil)
    let folders = AvailableMemory.folders(cgroup: "12:cpu:/x\n4:memory:/a\n0::/b/c\n")
    #expect(
      folders.map(\.path) == [
        "/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/b/c", "/sys/fs/cgroup/b", "/sys/fs/cgroup",
      ])
    #expect(folders.map(\.limitFile).prefix(3) == ["memory.limit_in_bytes", "memory.limit_in_bytes", "memory.max"])
  }

  @Test("A program of another version is refused")
  func version() {
    var program = wamim_fake_program
    program.abi_version += 1
    #expect(throws: TrainerError.self) { try Program(&program) }
  }

  @Test("A program whose tensors leave the arena is refused")
  func arena() {
    var program = wamim_fake_program
    program.arena_bytes = 1000
    #expect(throws: TrainerError.self) { try Program(&program) }
  }

  @Test("Schedules leave the same bits whatever the number of threads", arguments: [2, 3, 7, 24])
  func executor(threads: Int) throws {
    #expect(try state(afterSteps: 40, threads: threads) == state(afterSteps: 40, threads: 1))
  }

  /// Five chunks become as many as threads can share evenly, up to the number of units.
  @Test("Every call is counted once for each chunk", arguments: [(1, 50), (2, 60), (3, 60), (7, 70)])
  func times(threads: Int, shared: Int) throws {
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step], threads: threads)
    try model.device.startMeasuring()
    for _ in 0..<10 { try model.run(.step) }
    let calls = try model.device.measuredTimes().calls.prefix(5).map(\.calls)
    #expect(calls == [40, 10, shared, shared, 0])
  }

  @Test("Denormal numbers are what they were to a thread that has run a schedule")
  func denormals() throws {
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step], threads: 1)
    try model.run(.step)
    // Not a number that the compiler knows.
    let smallest = Float(bitPattern: UInt32(min(model.device.threadCount, 1)))
    #expect(smallest > 0 && smallest / 1 == smallest)
  }

  @Test("Numbers are written as people read them")
  func formats() {
    #expect(Format.fixed(3.14159, decimals: 2) == "3.14")
    #expect(Format.fixed(-0.5, decimals: 1) == "-0.5")
    #expect(Format.fixed(-0.001, decimals: 2) == "0.00")
    #expect(Format.fixed(0.999, decimals: 1) == "1.0")
    #expect(Format.fixed(12, decimals: 0) == "12")
    #expect(Format.bytes(1536) == "1.50 KiB")
    #expect(Format.count(86_100_000) == "86.1 M")
    #expect(Format.duration(3_700) == "1 h 01 min")
    #expect(Format.shape([1, 2]) == "[1, 2]")
  }

  private func state(afterSteps steps: Int, threads: Int) throws -> [Float] {
    let model = try TrainedModel(program: try fakeProgram(), schedules: [.step], threads: threads)
    try model.initializeStates(seed: 1)
    for step in 0..<steps {
      let images = try ImageBatch(model.program).input
      let numbers = RandomNumbers(seed: UInt64(step), purpose: .benchmark)
      try model.upload((0..<images.count).map { numbers.uniform(at: UInt64($0)) }, to: images)
      try model.fillNoise(seed: 1, step: step, round: 0)
      model.setScalars(fakeRecipe, at: .alone(step: step + 1))
      try model.run(.step)
    }
    return try model.program.manifest.states.flatMap { try model.values($0.tensor) }
  }
}
