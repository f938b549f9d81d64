import Foundation
import Testing
import WaMIMManifest
import WaMIMRuntime

/// What the machine does wrong is never an image's fault.
@Suite("Failures of the system") struct SystemFailureTests {
  @Test("A failure of the system is told from an error of a file", arguments: [EMFILE, ENFILE, ENOMEM, EIO, ESTALE])
  func codes(code: Int32) {
    #expect(TrainerError("x", code: code).isSystemFailure)
    for other in [ENOENT, EACCES, EISDIR, ELOOP, ENAMETOOLONG] { #expect(!TrainerError("x", code: other).isSystemFailure) }
    #expect(!TrainerError("x").isSystemFailure)
  }

  @Test("What the system refuses is tried again, and what is wrong with a file is not")
  func retrying() throws {
    var calls = 0
    let value = try SystemFailure.retrying { () throws(TrainerError) in
      calls += 1
      if calls < 3 { throw TrainerError("too many open files", code: EMFILE) }
      return 7
    }
    #expect(value == 7 && calls == 3)
    calls = 0
    #expect(throws: TrainerError("no such file")) {
      try SystemFailure.retrying { () throws(TrainerError) in
        calls += 1
        throw TrainerError("no such file")
      }
    }
    #expect(calls == 1)
  }

  @Test("A failure of the system ends a run, and no image replaces the one that it befell")
  func loading() throws {
    let augmentation = Augmentation(recipe: Recipe(), width: 8, height: 8, channels: 3)
    let unreadable = UnreadableImages()
    let source = FailingImages()
    let loader = try BatchLoader(
      source: source, order: EpochOrder(images: source.count, batch: 4, seed: 1),
      staging: TestStaging(slots: 2, samples: 4, augmentation: augmentation), augmentation: augmentation, steps: 0..<2, threads: 2,
      unreadable: unreadable)
    defer { loader.stop() }
    let error = #expect(throws: TrainerError.self) {
      for _ in 0..<2 {
        _ = try loader.next()
      }
    }
    #expect(error?.message == "the disk failed")
    #expect(unreadable.count == 0)
  }

  @Test("Who waits for a file system that does not answer can give up, and its threads hold nobody up")
  func waiting() throws {
    let augmentation = Augmentation(recipe: Recipe(), width: 8, height: 8, channels: 3)
    let source = SilentImages()
    let loader = try BatchLoader(
      source: source, order: EpochOrder(images: source.count, batch: 4, seed: 1),
      staging: TestStaging(slots: 2, samples: 4, augmentation: augmentation), augmentation: augmentation, steps: 0..<2, threads: 2)
    var questions = 0
    let waited = try loader.next {
      questions += 1
      return questions == 3
    }
    #expect(waited == nil && questions == 3)
    let start = Date()
    loader.stop()
    #expect(Date().timeIntervalSince(start) < 60)
    source.answer.signal()
    source.answer.signal()
  }
}

/// Memory for large images, which there may be too little of.
@Suite("Memory of images") struct ImageMemoryTests {
  @Test("An image that does not fit alone is an error that says so, and others are not")
  func tooLarge() throws {
    let memory = DecodingMemory { AvailableMemory(bytes: 200 << 20, limitedBy: "the test") }
    #expect(try memory.withBytes(100 << 20, for: "it") { 1 } == 1)
    let error = #expect(throws: TrainerError.self) {
      try memory.withBytes(190 << 20, for: "9 x 9 pixels") { () throws(TrainerError) in }
    }
    #expect(
      error?.message == "9 x 9 pixels are too many for the memory there is: they need 190.0 MiB, and the test leaves 200.0 MiB")
    #expect(error?.isSystemFailure == false)
    // Small ones are not waited for, nor is anything where no limit is known.
    let none = DecodingMemory { AvailableMemory(bytes: 0, limitedBy: "the test") }
    #expect(try none.withBytes(1 << 20, for: "it") { 2 } == 2)
    #expect(try DecodingMemory { nil }.withBytes(1 << 40, for: "it") { 3 } == 3)
  }

  @Test("Threads decode large images in turns where there is memory for one only, and at once where there is for all")
  func turns() throws {
    for (bytes, most) in [(150, 1), (250, 2), (10_000, 4)] {
      let memory = DecodingMemory { AvailableMemory(bytes: bytes << 20, limitedBy: "the test") }
      let counts = Counts()
      var threads: [WorkerThread] = []
      for index in 0..<4 {
        threads.append(
          try WorkerThread(name: "decoder \(index)") {
            for _ in 0..<20 {
              try? memory.withBytes(100 << 20, for: "it") { () throws(TrainerError) in
                counts.enter()
                usleep(2000)
                counts.leave()
              }
            }
          })
      }
      for thread in threads { thread.join() }
      #expect(counts.total == 80)
      #expect(counts.most <= most)
      if most == 4 { #expect(counts.most > 1) }
    }
  }

  /// How many are inside at once.
  private final class Counts: @unchecked Sendable {
    private let lock = ThreadLock()
    private var inside = 0
    private(set) var most = 0
    private(set) var total = 0

    func enter() {
      lock.withLock {
        inside += 1
        total += 1
        most = max(most, inside)
      }
    }

    func leave() { lock.withLock { inside -= 1 } }
  }
}

/// Images of which one lies on a broken block of the disk.
private struct FailingImages: ImageSource {
  let count = 8

  func name(at index: Int) -> String { "image \(index)" }

  func load(at index: Int) throws(TrainerError) -> LoadedImage {
    if index == 5 { throw TrainerError("the disk failed", code: EIO) }
    return .pixels(Image(width: 9, height: 9, channels: 3, filledWith: UInt8(index)))
  }
}

/// Images on a file system that does not answer until it is told to.
private final class SilentImages: ImageSource, @unchecked Sendable {
  let count = 8
  let answer = DispatchSemaphore(value: 0)

  func name(at index: Int) -> String { "image \(index)" }

  func load(at index: Int) throws(TrainerError) -> LoadedImage {
    answer.wait()
    return .pixels(Image(width: 9, height: 9, channels: 3, filledWith: 1))
  }
}
