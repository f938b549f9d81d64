import Foundation
import Testing
import WaMIMGraph
import WaMIMLanguage
import WaMIMTraining

/// Compiled wavelet transforms where gradients flow through them, and pictures made with them.
struct WaveletTests {
  /// A model that learns a picture which is added to the images, and weights of subbands: both transforms run forwards and backwards,
  /// on whole buffers, on pieces of them and across them.
  static func source(_ wavelet: Wavelet) -> String {
    """
    model learned_pictures
    input images: f32[3, 2, 12, 20]
    let added = parameter(name: "added", shape: [1, 2, 12, 20], initial: normal(0.5))
    let weights = parameter(name: "weights", shape: [2, 4, 3, 5], initial: normal(0.5))
    let shown = images * images + added
    let first = wavelet_analysis(shown, wavelet: \(wavelet.rawValue))
    let coarse = reshape(slice(first, axis: 2, start: 0, count: 1, step: 1), shape: [3, 2, 6, 10])
    let second = wavelet_analysis(coarse, wavelet: \(wavelet.rawValue)) * weights
    let back = wavelet_adjoint(second, wavelet: \(wavelet.rawValue))
    let turned = wavelet_analysis(transpose(shown, permutation: [0, 1, 3, 2]), wavelet: \(wavelet.rawValue))
    let half = slice(turned, axis: 3, start: 0, count: 4, step: 2)
    let low = wavelet_adjoint(half, wavelet: \(wavelet.rawValue))
    output "second" = second
    output "back" = back
    output "turned" = turned
    output "low" = low
    loss total(second * second) + total(back * coarse) + total(tanh(low)) + total(turned * turned) * 0.1
    """
  }

  @Test(arguments: Wavelet.allCases) func gradientsFlowThroughTransforms(wavelet: Wavelet) throws {
    let text = Self.source(wavelet)
    let compared = try AgreementTests.checkGradients(of: text, options: [], seed: 23, tolerance: 1e-5, magnitude: [1])
    #expect(compared.contains("grad.added") && compared.contains("grad.weights"))
  }

  @Test func workOnSubbandsAgreesWithTheInterpreter() throws {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    for index in 0..<UInt64(16) {
      let source = try Language.print(Model(RandomSubbandGraph.draw(seed: seed &+ index)))
      try AgreementTests.checkGradients(
        of: source, options: [], seed: 23, tolerance: 1e-4, magnitude: [1], "seed \(seed &+ index)")
    }
  }

  @Test("A model of any wavelet trains and draws its reconstructions", arguments: Wavelet.allCases)
  func pictures(wavelet: Wavelet) throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", TrainingTests.tiny + ["wavelet=\(wavelet.rawValue)"])
    let fit = try workshop.run(workshop.path("train"), ["fit", "--data", "synthetic:8", "--limit-steps", "1"])
    try #require(fit.status == 0, "\(fit.errors)")
    let drawn = try workshop.run(
      workshop.path("train"), ["reconstruct", "--checkpoint", "run", "--data", "synthetic:8", "--count", "2", "-o", "grid.png"])
    try #require(drawn.status == 0, "\(drawn.errors)")
    #expect(FileManager.default.fileExists(atPath: workshop.path("grid.png")))
  }
}
