import Testing
import WaMIMManifest
import WaMIMRuntime

/// Measured time by layers and lines.
@Suite("Profiles by layer and line") struct OriginProfileTests {
  private let tables = Manifest.OriginTables(
    layers: ["", "blocks.0.fc1", "blocks.1.fc1", "norm"],
    sources: [.init(file: "a.wg", lines: []), .init(file: "b.swift", lines: [])],
    regions: ["forward", "backward", "update"])

  @Test("Layers and lines add up to what the kernels took", arguments: 1...20 as ClosedRange<UInt64>)
  func sums(seed: UInt64) {
    var numbers = RandomNumbers(seed: seed, purpose: .benchmark)
    let calls = (0..<50).map { index in
      let row = KernelProfile.Row(
        name: "call \(index)", kind: "rows", kernel: index, calls: 1, seconds: Double(numbers.next(below: 1000)) * 1e-6,
        flops: numbers.next(below: 1_000_000), bytes: numbers.next(below: 1_000_000))
      let origins = (0..<numbers.next(below: 4)).map { _ in
        let source = numbers.next(below: 3)
        return Manifest.Origin(
          layer: numbers.next(below: 4), source: source < 2 ? source : nil, line: 1 + numbers.next(below: 5),
          region: numbers.next(below: 3), share: numbers.next(below: 100))
      }
      return (row: row, origins: Manifest.Origins(origins))
    }
    let profile = OriginProfile(calls, tables)
    let seconds = calls.reduce(0) { $0 + $1.row.seconds }
    let flops = Double(calls.reduce(0) { $0 + $1.row.flops })
    for rows in [profile.layers, profile.lines, profile.joinedLayers] {
      #expect(abs(rows.reduce(0) { $0 + $1.totalSeconds } - seconds) < 1e-9, "seed \(seed)")
      #expect(abs(rows.reduce(0) { $0 + $1.flops } / flops - 1) < 1e-9, "seed \(seed)")
    }
    #expect(profile.joinedLayers.count < profile.layers.count && profile.joinedLayers.contains { $0.name == "blocks.*.fc1" })
    let order = profile.lines.map { [$0.line == nil ? "z" : $0.name, "\($0.line ?? 0)"] }
    #expect(zip(order, order.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) }, "\(order)")
  }

  @Test("A call's time goes to its origins by their shares, and to the regions that these are of")
  func shares() throws {
    let row = KernelProfile.Row(name: "x", kind: "rows", kernel: 0, calls: 1, seconds: 4, flops: 8, bytes: 12)
    let origins = Manifest.Origins([
      .init(layer: 1, source: 0, line: 7, region: 1, share: 3), .init(layer: 3, source: 0, line: 9, region: 2, share: 1),
    ])
    let profile = OriginProfile([(row: row, origins: origins)], tables)
    #expect(profile.lines.map(\.line) == [7, 9])
    #expect(profile.lines.map(\.seconds) == [[0, 3, 0], [0, 0, 1]])
    #expect(profile.layers.map(\.name) == ["blocks.0.fc1", "norm"])
    #expect(profile.layers.map(\.flops) == [6, 2] && profile.layers.map(\.bytes) == [9, 3])
  }
}
