import Foundation
import Testing
import WaMIMLLVM

/// Options that cannot be followed, and what the compiler says to them.
struct OptionTests {
  private func refusal(_ options: String...) throws -> String {
    let workshop = try Workshop()
    let result = try workshop.wamimc([Workshop.model("wamim_vit_demo"), "--set", "batch=2"] + options)
    #expect(result.status != 0 && result.output.isEmpty, "\(options)")
    return result.errors
  }

  /// Of this machine's architecture and another one, one processor.
  @Test func anExecutableIsForThisArchitecture() throws {
    let other = Architecture.native == .x86 ? "neoverse-n1" : "x86-64-v3"
    let message = try refusal("--cpu", other, "-o", "/nonexistent/train")
    #expect(message.contains("of this machine, \(Architecture.native.rawValue)") && message.contains(other), "\(message)")
    #expect(try refusal("--cpu", "neoverse-n9", "-o", "/nonexistent/train").contains("neoverse-n1"))
  }
}
