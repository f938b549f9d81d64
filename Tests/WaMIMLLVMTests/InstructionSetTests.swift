import Foundation
import Testing
import WaMIMLLVM

/// The table of instruction sets, and that nothing but its rows tells processors apart.
struct InstructionSetTests {
  static let architectures = Architecture.allCases

  /// Sums, a row of the right side and an element of the left one are in registers together.
  @Test(arguments: InstructionSet.all) func registerTilesFit(row: InstructionSet) {
    #expect([16, 32, 64].contains(row.vectorBytes) && row.lanes * 4 == row.vectorBytes)
    let tile = row.matmul
    #expect(tile.rows.max() == tile.rows.first && tile.rows == tile.rows.sorted(by: >) && tile.rows.last == 1)
    #expect(tile.rows[0] * tile.vectors + tile.vectors + 1 <= row.registerCount)
    #expect(row.attentionRows == row.attentionRows.sorted(by: >) && row.attentionRows.allSatisfy { $0 > 0 })
    #expect(row.attentionRows[0] * 2 + 2 + 1 <= row.registerCount)
    // Two panels of a deep product fit into the L2 cache.
    #expect(row.l2Bytes >= 2 * 1024 * tile.vectors * row.vectorBytes)
    if let matrix = row.matrix {
      // Two by two registers of sums, with two of each side's factors.
      #expect(matrix.registerCount >= 8 && matrix.columns == row.lanes && matrix.rows <= 16)
      // Each bf16 number has 8 bits of a float32 one's 24.
      #expect(matrix.splits == 3)
    }
  }

  /// Each row of an architecture has what the one before it has, and more; the first one takes nothing.
  @Test(arguments: architectures) func rowsGrow(architecture: Architecture) {
    let rows = InstructionSet.all.filter { $0.architecture == architecture }
    #expect(rows.first?.features == [])
    for (less, more) in zip(rows, rows.dropFirst()) {
      #expect(Set(less.features).isStrictSubset(of: more.features))
      #expect(less.vectorBytes <= more.vectorBytes && less.registerCount <= more.registerCount)
    }
  }

  @Test(
    arguments: [
      ("x86-64", "sse", 4), ("sandybridge", "avx", 8), ("bdver2", "avx2", 8), ("x86-64-v3", "avx2", 8), ("znver4", "avx512", 16),
      ("sapphirerapids", "avx512", 16), ("neoverse-n1", "neon", 4),
    ])
  func aProcessorHasTheBestRow(name: String, row: String, lanes: Int) throws {
    let processor = try TargetProcessor.named(name)
    #expect(processor.instructionSet.name == row && processor.instructionSet.lanes == lanes)
    #expect(processor.instructionSet.features.allSatisfy(processor.features.contains))
    #expect((processor.instructionSet.matrix != nil) == (name == "sapphirerapids"))
  }

  /// The lines of this package's sources that match, as `file: line`.
  private func lines(matching pattern: Regex<Substring>) throws -> [(file: String, line: String)] {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let sources = package.appendingPathComponent("Sources")
    let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
    return try files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }.flatMap { file in
      try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { $0.firstMatch(of: pattern) != nil }
        .map { (file: file.lastPathComponent, line: String($0)) }
    }
  }

  /// Whether a product runs on AMX is asked in one place, and its answer is read from the variant everywhere else.
  @Test func amxIsChosenInOnePlace() throws {
    let asked = try lines(matching: /[iI]nstruction\w*\.matrix\b|amxCycles\(\) </)
    #expect(!asked.isEmpty && asked.allSatisfy { $0.file == "MatmulVariant.swift" }, "\(asked)")
  }

  /// No emitter asks for a processor's features or architecture.
  @Test func featuresAreAskedInTheTable() throws {
    let asked = try lines(matching: /features\b.*\bcontains\b|amx-|"avx|"fma"/)
    #expect(
      Set(asked.map(\.file)).isSubset(of: ["InstructionSet.swift", "ProcessorTable.swift", "TargetProcessor.swift"]), "\(asked)")
  }
}
