import Foundation
import Testing
import WaMIM
import WaMIMCompiler
import WaMIMLLVM
import WaMIMLanguage

/// A program as several objects, against the same one as a single object.
struct ObjectTests {
  /// The bytes of code of each function, and the objects that define it.
  private struct Code {
    var size: Int
    var objects: [Int]
  }

  private func program() throws -> Program {
    let overrides = AgreementTests.golden.compactMap { setting in
      setting.firstIndex(of: "=").map { Override(name: String(setting[..<$0]), expression: String(setting[$0...].dropFirst())) }
    }
    let model = try Language.model(contentsOf: Workshop.model("wamim_vit_demo"), overrides: overrides)
    return try Compiler().program(for: model)
  }

  /// What `objects` define, by name.
  private func code(of objects: [[UInt8]]) throws -> [String: Code] {
    let workshop = try Workshop()
    var code: [String: Code] = [:]
    for (index, object) in objects.enumerated() {
      let file = workshop.path("\(index).o")
      try Data(object).write(to: URL(fileURLWithPath: file))
      let symbols = try workshop.run("/usr/bin/env", ["nm", "--defined-only", "--format=posix", "--radix=d", file])
      try #require(symbols.status == 0, "\(symbols.errors)")
      for line in symbols.output.split(separator: "\n") {
        let fields = line.split(separator: " ")
        guard fields.count == 4, fields[1].lowercased() == "t", let size = Int(fields[3]) else { continue }
        code[String(fields[0]), default: Code(size: size, objects: [])].objects.append(index)
      }
    }
    return code
  }

  @Test func everyFunctionIsInOneObjectAndHasTheSameCode() throws {
    let program = try program()
    let backend = LLVMBackend()
    let whole = try code(of: [backend.emit(program, as: .object)])
    try #require(whole.count > program.kernels.count)
    let objects = try backend.objects(for: program)
    let split = try code(of: objects)
    let names = Set(whole.keys).union(split.keys)
    let changed = names.filter { whole[$0]?.size != split[$0]?.size }.sorted()
    #expect(changed == [])
    let repeated = split.filter { $0.value.objects.count != 1 }.keys.sorted()
    #expect(repeated == [])
    let again = try backend.objects(for: program)
    #expect(again.count > 10 && zip(again, objects).allSatisfy { $0 == $1 })
  }
}
