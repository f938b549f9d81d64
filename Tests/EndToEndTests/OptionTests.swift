import Foundation
import Testing
import WaMIM
import WaMIMCompiler
import WaMIMLLVM

/// Options that cannot be followed, and what the compiler says to them.
struct OptionTests {
  private func refusal(_ options: String...) throws -> String {
    let workshop = try Workshop()
    let result = try workshop.wamimc([Workshop.model("wamim_vit_demo"), "--set", "batch=2"] + options)
    #expect(result.status != 0 && result.output.isEmpty, "\(options)")
    return result.errors
  }

  @Test(arguments: Compiler.passes.filter { !$0.isOptional }.map(\.name)) func aNecessaryPassStays(name: String) throws {
    #expect(try refusal("--disable", name, "--emit", "kernels").contains("'\(name)' cannot be left out"))
    var compiler = Compiler()
    compiler.disabledPasses = [name]
    let model = try Model("model") { g in
      let images = g.input("images", [1, 1, 2, 2])
      g.minimize((images * g.parameter("scale", [1], .constant(1))).total())
    }
    let error = try #require(throws: CompilationError.self) { try compiler.program(for: model) }
    #expect(error.message.contains("'\(name)' cannot be left out"))
  }

  @Test func theListOfPassesMarksThoseThatStay() throws {
    let workshop = try Workshop()
    let lines = try workshop.wamimc(["--list-passes"]).output.split(separator: "\n")
    #expect(lines.count == Compiler.passes.count)
    for (line, pass) in zip(lines, Compiler.passes) {
      #expect(line.hasPrefix("\(pass.name): ") && line.hasSuffix("(Cannot be left out.)") == !pass.isOptional)
    }
  }

  @Test func thereIsNoGraphAfterWhatLeavesNone() throws {
    #expect(try refusal("--emit", "after:fuse").contains("--emit kernels"))
    #expect(try refusal("--emit", "after:merge").contains("--emit kernels"))
    #expect(try refusal("--emit", "after:simplify", "--disable", "simplify").contains("'simplify' is left out"))
    #expect(try refusal("--emit", "after:simplifi").contains("simplify, common-subexpressions"))
  }

  /// Also where the stage that is shown has no use for them.
  @Test func whatIsNotUsedIsChecked() throws {
    for stage in ["graph", "plan", "kernels"] {
      #expect(try refusal("--cpu", "pentium9", "--emit", stage).contains("no processor named 'pentium9'"))
    }
    #expect(try refusal("--schedule", "gradients", "--emit", "plan").contains("--emit after:PASS"))
    #expect(try refusal("--schedule", "step", "-o", "train").contains("--emit after:PASS"))
  }

  /// Of this machine's architecture and another one, one processor.
  @Test func anExecutableIsForThisArchitecture() throws {
    let other = Architecture.native == .x86 ? "neoverse-n1" : "x86-64-v3"
    let message = try refusal("--cpu", other, "-o", "/nonexistent/train")
    #expect(message.contains("of this machine, \(Architecture.native.rawValue)") && message.contains(other), "\(message)")
    #expect(try refusal("--cpu", "neoverse-n9", "-o", "/nonexistent/train").contains("neoverse-n1"))
  }
}

/// What `--target cuda` shows, and what it refuses.
struct TargetTests {
  @Test(
    arguments: [
      (["--emit", "asm"], "show code for CPUs"),
      (["--emit", "cuda", "--memory", "1GiB"], "--memory is about CPUs' memory"),
      (["--emit", "ptx", "--cpu", "znver3"], "--cpu and --matmul openblas are about CPUs"),
      (["--emit", "ptx", "--matmul", "openblas"], "--cpu and --matmul openblas are about CPUs"),
      (["--emit", "plan", "--target", "cpu", "--matmul", "cublas"], "--matmul cublas is about GPUs"),
      (["--emit", "ptx", "--target", "cuda:sm_80,sm_99"], "there is no architecture 'sm_99': choose among sm_80, sm_86"),
      (["--emit", "ptx", "--target", "cuda:"], "there is no architecture ''"),
      (["--emit", "ptx", "--target", "cuda:sm_80,sm_80"], "names sm_80 twice"),
      (["--emit", "ptx", "--target", "gpu"], "--target takes cpu, cuda, or cuda: and architectures"),
    ])
  func whatGPUsCannotYetIsRefused(options: [String], message: String) throws {
    let workshop = try Workshop()
    let result = try workshop.wamimc([Workshop.model("wamim_vit_demo"), "--target", "cuda"] + options)
    #expect(result.status == 64 && result.errors.contains(message), "\(result.errors)")
  }

  @Test func kernelsAreShownAsCUDA() throws {
    let workshop = try Workshop()
    let model = Workshop.model("wamim_vit_demo")
    let shown = try workshop.wamimc([model, "--set", "batch=2", "--target", "cuda", "--emit", "cuda"])
    #expect(shown.status == 0 && shown.output.contains("KERNEL(") && shown.output.contains("blocks.*.mlp.fc1"), "\(shown.errors)")
    let mixed = try workshop.wamimc([model, "--set", "batch=2", "--precision", "bf16", "--target", "cuda", "--emit", "cuda"])
    #expect(mixed.status == 0 && mixed.output.contains("add_tensor_products(sums[i][j], l[i], r[j])"), "\(mixed.errors)")
    let forCPU = try workshop.wamimc([model, "--emit", "cuda"])
    #expect(forCPU.status == 64 && forCPU.errors.contains("--target cuda"), "\(forCPU.errors)")
  }

  /// What is missing is said with the command that installs it.
  @Test(
    .enabled(if: !FileManager.default.fileExists(atPath: "/usr/local/cuda/bin"), "CUDA's own folder is found without the path"),
    arguments: [
      ("ptx", "'apt-get install clang-14' installs the one"), ("sass", "'pip install nvidia-cuda-nvcc-cu12 nvidia-cuda-nvdisasm'"),
    ])
  func whatCompilesForGPUsIsNamed(stage: String, message: String) throws {
    let workshop = try Workshop()
    let nowhere = ["PATH": "/nonexistent", "CUDA_HOME": "/nonexistent", "CUDA_PATH": "/nonexistent"]
    let result = try workshop.run(
      Workshop.compiler, [Workshop.model("wamim_vit_demo"), "--set", "batch=2", "--target", "cuda", "--emit", stage],
      environment: nowhere)
    #expect(result.status == 1 && result.errors.contains(message), "\(result.errors)")
  }

  /// The plan ends with what a step launches, and how long GPUs take for it at least.
  @Test func thePlanForGPUsHasALineForEachOfThem() throws {
    let workshop = try Workshop()
    let model = Workshop.model("wamim_vit_demo")
    func rates(_ precision: String) throws -> [Substring: Int] {
      let plan = try workshop.wamimc([model, "--precision", precision, "--target", "cuda", "--emit", "plan"])
      let line = try #require(plan.output.split(separator: "\n").last { $0.hasPrefix("images a second: ") }, "\(plan.errors)")
      let pairs = line.dropFirst("images a second: ".count).split(separator: ", ").map { $0.split(separator: " ") }
      return try Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], try #require(Int($0[1]))) })
    }
    let (single, mixed) = (try rates("f32"), try rates("bf16"))
    #expect(single.keys.sorted() == ["A100-40G", "A100-80G", "H100", "H200"])
    for (gpu, rate) in single { #expect(try #require(mixed[gpu]) > rate, "\(gpu)") }
    #expect(try #require(mixed["H100"]) > #require(mixed["A100-40G"]))
  }

  /// What keeps a base model fast on a GPU: few launches, and little that is read and written.
  @Test func aBaseModelKeepsToItsLaunchesAndBytes() throws {
    let workshop = try Workshop()
    let words = ["--precision", "bf16", "--target", "cuda:sm_90a", "--set", "batch=256", "--emit", "plan"]
    let plan = try workshop.wamimc([Workshop.model("wamim_vit_base")] + words)
    let lines = plan.output.split(separator: "\n")
    let all = try #require(lines.last { $0.hasSuffix("  all") }).split(separator: " ")
    let launches = try #require(Int(all[0]))
    let rate = try #require(plan.output.firstMatch(of: #/H100 ([0-9]+)/#).flatMap { Int($0.1) })
    #expect(launches <= 350 && rate >= 15_000, "\(launches) launches, \(rate) images/s")
    let kernels = try #require(lines.firstIndex { $0.hasPrefix("kernels of a step") })
    #expect(lines[kernels + 2].contains("_matmul "), "\(lines[kernels + 2])")
  }
}
