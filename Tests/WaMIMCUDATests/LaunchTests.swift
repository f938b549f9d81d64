import Foundation
import Testing
import WaMIMCUDA
import WaMIMCompiler
import WaMIMLanguage
import WaMIMTraining

/// How many launches a step takes.
struct LaunchTests {
  /// Programs of a model of `graphs` in mixed precision: with calls made at the same time, and with each by itself.
  private func programs(_ name: String, _ settings: [String]) throws -> (merged: Program, apart: Program) {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let path = folder.appendingPathComponent("graphs/\(name).wg").path
    var model = try Language.model(source: Language.text(at: path), file: path, overrides: settings.map { try Override($0) })
    model.recipe[choice: .precision] = "bf16"
    func program(_ disabled: Set<String>) throws -> Program {
      try Compilation(disabled: disabled, backend: CUDABackend()).program(for: model, text: "", compiler: "test")
    }
    return (try program([]), try program([Compilation.merging]))
  }

  private func launches(_ program: Program) throws -> Int {
    let step = try #require(program.schedules.first { $0.name == "step" })
    return step.phases.flatMap(\.groups).flatMap(\.calls).reduce(0) { total, call in
      total + ((program.variants[call.kernel.index].plan as? CUDAPlan)?.functions.count ?? 0)
    }
  }

  /// What is put off and what is made together does not take much more memory.
  private func checkMemory(_ merged: Program, _ apart: Program) {
    let (bytes, least) = (merged.arenaBytes + merged.scratchBytes, apart.arenaBytes + apart.scratchBytes)
    #expect(Double(bytes) < 1.33 * Double(least), "\(bytes) bytes instead of \(least)")
  }

  @Test func aSmallModelTakesFewerLaunches() throws {
    let (merged, apart) = try programs("wamim_vit_demo", ["batch=32"])
    #expect(try 4 * launches(merged) < 3 * launches(apart))
    checkMemory(merged, apart)
  }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["WAMIM_THOROUGH"] != nil, "takes some seconds"))
  func aLargeModelTakesFewLaunches() throws {
    let (merged, apart) = try programs("wamim_vit_base", ["batch=256"])
    #expect(try launches(merged) <= 350)
    checkMemory(merged, apart)
  }
}
