import Foundation
import TestSupport
import Testing
import WaMIMLanguage

/// Texts with random damage: each is a model or is refused, and none crashes or hangs.
///
/// `WAMIM_FUZZ_SECONDS` sets how long the search goes on, `WAMIM_SEED` where it starts.
@Suite struct FuzzTests {
  @Test("no damage to a text does more than make it refused")
  func damage() throws {
    let environment = ProcessInfo.processInfo.environment
    let seconds = environment["WAMIM_FUZZ_SECONDS"].flatMap(Double.init) ?? 3
    let samples = try corpus()
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    var (count, round) = (0, seed)
    while clock.now < end {
      var mutator = Mutator(seed: round)
      let text = mutator.damaged(samples)
      // A crash leaves no message, so what is being tried is kept where the long search is run.
      if let path = environment["WAMIM_FUZZ_LAST"] { try Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
      let time = clock.measure { _ = try? Language.model(source: text, file: "fuzz.wg") }
      #expect(time < .seconds(5), "seed \(round): \(time)")
      (count, round) = (count + 1, round &+ 1)
    }
    print("tried \(count) texts from seed \(seed)")
  }

  /// Small models, a printed graph and every mistake known.
  private func corpus() throws -> [String] {
    let path = try #require(modelPaths.first { $0.hasSuffix("vit_demo.wg") })
    let settings = ["image=32", "patch=8", "dim=8", "depth=1", "heads=2", "taps=[1]", "levels=[2]", "weights=[1]", "batch=1"]
    let small = try Language.model(contentsOf: path, overrides: settings.map { try Override($0) })
    let models = try modelPaths.filter { $0.hasSuffix("demo.wg") }.map { try String(contentsOfFile: $0, encoding: .utf8) }
    return models + [Language.print(small), MaskedAutoencoder.source]
      + BadInputTests.mistakes.map { BadInputTests.header + $0.text }
  }
}

/// Damages texts at random.
private struct Mutator {
  private var generator: SeededGenerator
  private static let pieces = [
    "(", ")", "[", "]", "{", "}", ",", ":", "..", ".", "=", "==", "+", "-", "*", "/", "%", "&&", "!", "\"", "\\", "\n", "0", "-1",
    "1e308",
    "9223372036854775807", "68719476736", "let x = ", "func f(x) { ", "for i in 0..9 { ", "if true { 1 } else ", " in \"a\"", "f32",
    "i32",
    "images", "mask", "gelu(", "vit(", "swin(", "decoder(", "slice(", "reshape(", "wavelet_analysis(", "concatenate(", "rank(",
    "none",
    "haar", "bior2.2", "x1.5", "wavelet_adjoint(",
    "shape", "true", "infinity", "nan", "é", "\u{0}", "\u{202E}", "//",
  ]

  init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
  }

  mutating func damaged(_ samples: [String]) -> String {
    var bytes = Array((samples.randomElement(using: &generator) ?? "").utf8)
    for _ in 0..<Int.random(in: 1...6, using: &generator) { damage(&bytes, samples) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private mutating func offset(_ bytes: [UInt8]) -> Int {
    Int.random(in: 0...bytes.count, using: &generator)
  }

  private mutating func damage(_ bytes: inout [UInt8], _ samples: [String]) {
    let start = offset(bytes)
    let end = min(bytes.count, start + Int.random(in: 1...20, using: &generator))
    switch Int.random(in: 0...6, using: &generator) {
    case 0: bytes.removeSubrange(start..<end)
    case 1: bytes.insert(contentsOf: bytes[start..<end], at: offset(bytes))
    case 2, 3: bytes.insert(contentsOf: Array((Self.pieces.randomElement(using: &generator) ?? "").utf8), at: start)
    case 4: if start < bytes.count { bytes[start] = UInt8.random(in: 0...255, using: &generator) }
    case 5: replaceNumber(&bytes, from: start)
    default:
      let other = Array((samples.randomElement(using: &generator) ?? "").utf8)
      let cut = Int.random(in: 0...other.count, using: &generator)
      bytes = Array(bytes[..<start] + other[cut...])
    }
  }

  /// Puts another number instead of the first one after `start`.
  private mutating func replaceNumber(_ bytes: inout [UInt8], from start: Int) {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard let first = bytes[start...].firstIndex(where: digits.contains) else { return }
    let end = bytes[first...].firstIndex { !digits.contains($0) } ?? bytes.count
    let numbers = ["0", "1", "3", "7", "64", "1000", "65536", "4294967296", "9223372036854775807", "0.5", "-1"]
    bytes.replaceSubrange(first..<end, with: Array((numbers.randomElement(using: &generator) ?? "").utf8))
  }
}
