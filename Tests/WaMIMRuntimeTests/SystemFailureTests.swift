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

  @Test("A failure of the system ends a run, and no image takes the place of the one that it befell")
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
}

/// Images of which one lies on a broken part of the disk.
private struct FailingImages: ImageSource {
  let count = 8

  func name(at index: Int) -> String { "image \(index)" }

  func load(at index: Int) throws(TrainerError) -> LoadedImage {
    if index == 5 { throw TrainerError("the disk failed", code: EIO) }
    return .pixels(Image(width: 9, height: 9, channels: 3, filledWith: UInt8(index)))
  }
}
