import Foundation
import TestSupport
import Testing
import WaMIMGraph
import WaMIMLanguage

/// What is computed on any number of threads.
@Suite struct ThreadTests {
  /// So many images that their chunks are cut anew for each of these numbers of threads, wherever that can be.
  @Test(arguments: AgreementTests.variants.filter { !$0.contains("--disable") || $0.contains("fuse") })
  func bitsDoNotDependOnThreads(options: [String]) throws {
    let workshop = try Workshop()
    let settings = AgreementTests.golden + ["batch=24", "dim=192", "heads=3"]
    let graph = try Language.model(contentsOf: Workshop.model("wamim_vit_demo"), overrides: settings.map { try Override($0) }).graph
    var generator = SeededGenerator(seed: 31)
    try workshop.write(graph.randomSources(using: &generator), of: graph, to: "in.safetensors")
    try workshop.compile("wamim_vit_demo", settings, options: options)
    let outputs = try [1, 2, 3, 5, 7].map { threads in
      let result = try workshop.run(
        workshop.path("train"),
        ["grad", "--input", "in.safetensors", "--output", "out.safetensors", "--adamw-steps", "2", "--threads", "\(threads)"])
      try #require(result.status == 0, "\(result.errors)")
      return try Data(contentsOf: URL(fileURLWithPath: workshop.path("out.safetensors")))
    }
    #expect(Set(outputs).count == 1)
  }
}
