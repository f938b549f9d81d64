import Foundation
import WaMIMGraph
import WaMIMLanguage
import WaMIMTraining

/// The repository's root.
let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()

/// The models that come with the compiler.
let modelPaths: [String] = {
  let folder = repository.appendingPathComponent("graphs")
  let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
  return files.filter { $0.hasSuffix(".wg") }.sorted().map { folder.appendingPathComponent($0).path }
}()

extension Model {
  /// The model without the positions of its source text.
  var withoutLocations: Model {
    var model = self
    for index in model.graph.nodes.indices { model.graph.nodes[index].location = nil }
    for index in (model.evaluation?.nodes ?? []).indices { model.evaluation?.nodes[index].location = nil }
    return model
  }
}

/// The seed of this run's random tests: `WAMIM_SEED`, or a new one.
let seed: UInt64 = {
  let seed = ProcessInfo.processInfo.environment["WAMIM_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
  print("WAMIM_SEED=\(seed)")
  return seed
}()

/// What the language says about `source`, or nil where it is a model.
func complaint(about source: String, _ overrides: [Override] = []) -> String? {
  do {
    _ = try Language.model(source: source, file: "model.wg", overrides: overrides)
    return nil
  } catch {
    return error.description
  }
}
