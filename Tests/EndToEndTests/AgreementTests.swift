import Foundation
import TestSupport
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMInterpreter
import WaMIMLLVM
import WaMIMLanguage

/// Compiled trainers against the interpreter and the reference.
struct AgreementTests {
  static let tolerance = 1e-4

  /// The settings of the golden case's model.
  static let golden = [
    "image=32", "patch=4", "dim=48", "depth=4", "heads=3", "taps=[1, 2, 3, 4]", "levels=[1, 2, 3, 4]", "decoder_dim=32",
    "decoder_heads=4", "batch=3",
  ]

  /// Models that differ in everything that can be set.
  static let models: [[String]] = [
    golden,
    golden + ["batch=1"],
    golden + ["batch=5", "ratio=0.6"],
    golden + ["subbands=all"],
    golden + ["normalization=none", "batch=2"],
    golden + ["wavelet=db2", "subbands=all"],
    golden + ["wavelet=db4", "batch=2"],
    golden + ["wavelet=sym4", "normalization=none", "batch=4"],
    golden + ["wavelet=bior2.2", "normalization=token"],
    golden + ["wavelet=bior4.4", "subbands=all", "batch=1"],
    golden + ["normalization=token", "ratio=0.9"],
    golden + ["subbands=all", "normalization=token", "batch=7"],
    golden + ["decoder_dim=48", "decoder_heads=2", "heads=6"],
    golden + ["taps=[2, 4]", "levels=[1, 4]", "weights=[1.0, 0.5]"],
    // Wide enough for AMX.
    golden + ["dim=192", "heads=3", "decoder_dim=128", "depth=2", "taps=[1, 2]", "levels=[2, 3]", "weights=[1.0, 0.5]"],
    golden + ["depth=1", "taps=[1]", "levels=[2]", "weights=[1.0]"],
    golden + ["dim=20", "heads=1", "decoder_dim=16", "decoder_heads=1"],
    golden + ["image=48", "patch=8", "levels=[1, 2, 3, 4]", "dim=24", "heads=4"],
    golden + ["image=64", "patch=16", "dim=36", "heads=2", "levels=[3, 4, 5, 6]", "ratio=0.5"],
    golden + ["image=24", "patch=4", "levels=[1, 2, 3]", "taps=[1, 3, 4]", "weights=[2.0, 1.0, 0.5]", "dim=72", "heads=3"],
    golden + [
      "image=16", "patch=2", "dim=40", "heads=5", "levels=[1, 2, 3]", "taps=[1, 2, 4]", "weights=[1.0, 1.0, 1.0]", "batch=4",
    ],
  ]

  @Test(arguments: models.sampled(oneOf: 4)) func gradientsAgreeWithTheInterpreter(settings: [String]) throws {
    try AgreementTests.checkGradients(of: "wamim_vit_demo", settings)
  }

  /// Checks what `grad` of a model makes of random sources against the interpreter; the bits are the same on 1, 2, 3 and 8 threads.
  static func checkGradients(of model: String, _ settings: [String]) throws {
    let workshop = try Workshop()
    let expected = try expectedResults(model, settings, workshop)
    try workshop.compile(model, settings)
    for threads in [1, 2, 3, 8] {
      let result = try workshop.run(
        workshop.path("train"),
        ["grad", "--input", "in.safetensors", "--output", "out\(threads).safetensors", "--threads", "\(threads)"])
      try #require(result.status == 0, "\(result.errors)")
    }
    let first = try Data(contentsOf: URL(fileURLWithPath: workshop.path("out1.safetensors")))
    for threads in [2, 3, 8] {
      #expect(try Data(contentsOf: URL(fileURLWithPath: workshop.path("out\(threads).safetensors"))) == first, "\(threads) threads")
    }
    try expect(workshop.path("out1.safetensors"), agreesWith: expected)
  }

  /// Models to leave out passes of, and the micro-batch of a trainer that takes them in micro-batches: `variety`, or all where time is no matter.
  static let passModels =
    ProcessInfo.processInfo.environment["WAMIM_EVERY_PASS"] == nil ? variety : variety + models.map { ($0, 1) }

  /// Models that between them have all that passes look for.
  private static let variety: [(settings: [String], samples: Int)] = [
    (golden + ["batch=4", "ratio=0.6", "wavelet=db2", "subbands=all"], 2),
    (golden + ["image=24", "levels=[1, 2, 3]", "taps=[1, 3, 4]", "weights=[2.0, 1.0, 0.5]", "dim=24", "normalization=token"], 1),
    (
      golden + [
        "depth=2", "taps=[1, 2]", "levels=[4, 2]", "weights=[1.0, 1.0]", "decoder_dim=48", "normalization=none", "batch=2",
      ], 1
    ),
  ]

  /// Passes and other steps that can be left out, one at a time: for the whole batch at once and for micro-batches. To be quick, each is
  /// left out of one of the models.
  @Test(arguments: passModels.indices) func gradientsAgreeWithoutAPass(index: Int) throws {
    let (settings, samples) = AgreementTests.passModels[index]
    let stride = AgreementTests.passModels.count
    try AgreementTests.checkPasses(
      of: "wamim_vit_demo", settings, microBatch: samples, oneOf: stride > AgreementTests.variety.count ? 1 : stride, from: index)
  }

  /// Checks a model without each of the passes, or where tests are to be quick, without one of `stride` passes, from `index` on, and of
  /// these one for the whole batch and the next for micro-batches.
  static func checkPasses(
    of model: String, _ settings: [String], microBatch samples: Int, oneOf stride: Int = 3, from index: Int = 0
  ) throws {
    let workshop = try Workshop()
    let expected = try expectedResults(model, settings, workshop)
    for (number, name) in optional.enumerated() where Thoroughness.isThorough || number % stride == index % stride {
      let cuts = [[], ["--micro-batch", "\(samples)"]]
      for cut in Thoroughness.isThorough || stride == 1 ? cuts : [cuts[number / stride % 2]] {
        try workshop.compile(model, settings, options: ["--disable", name] + cut)
        let result = try workshop.run(
          workshop.path("train"), ["grad", "--input", "in.safetensors", "--output", "out.safetensors", "--threads", "2"])
        try #require(result.status == 0, "\(result.errors)")
        try expect(workshop.path("out.safetensors"), agreesWith: expected, "without \(name) \(cut)")
      }
    }
  }

  /// Draws what a model takes, writes it to `in.safetensors`, and returns what the interpreter makes of it.
  static func expectedResults(
    _ model: String, _ settings: [String], _ workshop: borrowing Workshop
  ) throws -> [String: DenseTensor] {
    let graph = try Language.model(contentsOf: Workshop.model(model), overrides: settings.map { try Override($0) }).graph
    var generator = SeededGenerator(seed: 17)
    let sources = graph.randomSources(using: &generator)
    try workshop.write(sources, of: graph, to: "in.safetensors")
    return try AgreementTests.results(graph, sources)
  }

  static func expect(_ file: String, agreesWith expected: [String: DenseTensor], _ context: String = "") throws {
    let actual = try Safetensors(contentsOf: file)
    for (name, tensor) in expected {
      let found = try #require(actual.tensors[name], "no output '\(name)'")
      let error = relativeError(found.elements, tensor.elements)
      #expect(error <= AgreementTests.tolerance, "\(name) \(context): \(error)")
    }
  }

  /// Compiles a model and checks what `grad` makes of random sources against the interpreter; the bits are the same on 1 and 3 threads.
  ///
  /// - Parameter magnitude: A number in proportion to which there is rounding, where results may be near 0.
  /// - Returns: The names of what was compared.
  @discardableResult
  static func checkGradients(
    of source: String, options: [String], seed: UInt64, tolerance: Double, magnitude: [Double] = [], _ context: String = ""
  ) throws -> [String] {
    let workshop = try Workshop()
    let graph = try Language.model(source: source, file: "model.wg").graph
    var generator = SeededGenerator(seed: seed)
    let sources = graph.randomSources(using: &generator)
    let expected = try results(graph, sources)

    try source.write(toFile: workshop.path("model.wg"), atomically: true, encoding: .utf8)
    let compiled = try workshop.wamimc([workshop.path("model.wg"), "-o", workshop.path("train")] + options)
    try #require(compiled.status == 0, "\(compiled.errors) \(options) \(context)")
    try workshop.write(sources, of: graph, to: "in.safetensors")
    for threads in ["1", "3"] {
      let result = try workshop.run(
        workshop.path("train"), ["grad", "--input", "in.safetensors", "--output", "out\(threads)", "--threads", threads])
      try #require(result.status == 0, "\(result.errors) \(options) \(context)")
    }
    let outputs = try ["out1", "out3"].map { try Data(contentsOf: URL(fileURLWithPath: workshop.path($0))) }
    #expect(outputs[0] == outputs[1], "\(options) \(context)")
    let actual = try Safetensors(contentsOf: workshop.path("out1"))
    for (name, tensor) in expected {
      let found = try #require(actual.tensors[name], "no output '\(name)' \(context)")
      let error = relativeError(found.elements + magnitude, tensor.elements + magnitude)
      #expect(error < tolerance, "\(name) \(options) \(context)")
    }
    return Array(expected.keys)
  }

  /// What the interpreter makes of `graph` as it was described: losses, predictions, targets and gradients.
  static func results(_ graph: Graph, _ sources: [String: [Double]]) throws -> [String: DenseTensor] {
    let plain = try [ScheduleRole.forward, .gradients].map {
      try Interpreter(Passes.run(graph, for: $0, disabled: Set(Passes.all.map(\.name)))).evaluate(sources).results
    }
    return plain[0].merging(plain[1]) { forward, _ in forward }
  }

  /// The passes and other steps that can be left out.
  static let optional = Passes.all.filter(\.isOptional).map(\.name) + [Compilation.fusion]

  /// Options of the compiler that change how results come about: every pass left out, products from elsewhere, fewer instructions.
  static let variants: [[String]] =
    [[]] + optional.map { ["--disable", $0] }
    + [["--matmul", "openblas"], ["--matmul", "generated", "--cpu", "x86-64"], ["--cpu", "x86-64-v3"], ["--cpu", "x86-64-v4"]]
    .filter(canRun)

  /// Whether this machine has the instructions that code is generated for.
  private static func canRun(_ options: [String]) -> Bool {
    guard let flag = options.firstIndex(of: "--cpu"), let processor = try? TargetProcessor.named(options[flag + 1]) else {
      return true
    }
    return processor.architecture == .native && Set(processor.features).isSubset(of: TargetProcessor.native.features)
  }

  /// No variant changes what comes out.
  @Test(arguments: variants.sampled(oneOf: 3)) func theGoldenCaseHolds(options: [String]) throws {
    try AgreementTests.check(golden: "vit-tiny", "wamim_vit_demo", AgreementTests.golden, options: options)
  }

  /// Checks what a model makes of a golden case against the reference: losses, targets, gradients and three steps.
  static func check(golden: String, _ model: String, _ settings: [String], options: [String]) throws {
    let workshop = try Workshop()
    try workshop.compile(model, settings, options: options)
    let result = try workshop.run(workshop.path("train"), goldenWords(golden))
    try #require(result.status == 0, "\(result.errors)")
    try expectGolden(golden, in: workshop.path("out.safetensors"))
  }

  private static let fixtures = Workshop.repository.appendingPathComponent("Tests/Golden")

  /// What a trainer does with a golden case, for `out.safetensors`.
  static func goldenWords(_ golden: String) -> [String] {
    [
      "grad", "--input", fixtures.appendingPathComponent("\(golden).in.safetensors").path, "--output", "out.safetensors",
      "--adamw-steps", "3", "--lr", "1e-3",
    ]
  }

  /// Expects what a trainer has made of a golden case to be the reference's.
  static func expectGolden(_ golden: String, in file: String) throws {
    let actual = try Safetensors(contentsOf: file)
    let expected = try Safetensors(contentsOf: fixtures.appendingPathComponent("\(golden).out.safetensors").path)
    for (name, tensor) in expected.tensors {
      let found = try #require(actual.tensors[name], "no output '\(name)'")
      #expect(found.shape == tensor.shape, "\(name)")
      let gradient = expected.tensors[name.replacingOccurrences(of: "adamw.", with: "grad.")]
      let isDetermined = AgreementTests.determined(by: gradient?.elements ?? tensor.elements, in: name)
      let error = relativeError(isDetermined.map { found.elements[$0] }, isDetermined.map { tensor.elements[$0] })
      #expect(error <= AgreementTests.tolerance, "\(name): \(error)")
      // Three steps move the others by three times the learning rate at most, one way here and the other way there.
      #expect(zip(found.elements, tensor.elements).allSatisfy { abs($0 - $1) <= 2 * 3 * 1e-3 }, "\(name)")
    }
  }

  /// Where updates follow the products that compute their gradients, steps are those of updates on their own, on any number of threads.
  @Test func consumedGradientsUpdateAsKeptOnes() throws {
    let workshop = try Workshop()
    let settings = AgreementTests.golden + ["batch=32"]
    let graph = try Language.model(contentsOf: Workshop.model("wamim_vit_demo"), overrides: settings.map { try Override($0) }).graph
    var generator = SeededGenerator(seed: 29)
    try workshop.write(graph.randomSources(using: &generator), of: graph, to: "in.safetensors")
    try workshop.compile("wamim_vit_demo", settings, to: "consuming")
    try workshop.compile("wamim_vit_demo", settings, options: ["--disable", Compilation.fusion], to: "keeping")
    func steps(_ trainer: String, threads: Int) throws -> Data {
      let result = try workshop.run(
        workshop.path(trainer),
        [
          "grad", "--input", "in.safetensors", "--output", "\(trainer).out", "--adamw-steps", "2", "--lr", "1e-3", "--threads",
          "\(threads)",
        ])
      try #require(result.status == 0, "\(result.errors)")
      return try Data(contentsOf: URL(fileURLWithPath: workshop.path("\(trainer).out")))
    }
    let first = try steps("consuming", threads: 1)
    for threads in 2...3 { #expect(try steps("consuming", threads: threads) == first, "\(threads) threads") }
    _ = try steps("keeping", threads: 2)
    let tensors = try Safetensors(contentsOf: workshop.path("consuming.out")).tensors
    let expected = try Safetensors(contentsOf: workshop.path("keeping.out")).tensors
    for (name, tensor) in expected where name.hasPrefix("adamw.") {
      let found = try #require(tensors[name], "no output '\(name)'")
      let gradient = expected[name.replacingOccurrences(of: "adamw.", with: "grad.")] ?? tensor
      let isDetermined = AgreementTests.determined(by: gradient.elements, in: name)
      let error = relativeError(isDetermined.map { found.elements[$0] }, isDetermined.map { tensor.elements[$0] })
      #expect(error <= AgreementTests.tolerance, "\(name): \(error)")
    }
  }

  /// The indices of a tensor's elements that have a value to agree on.
  ///
  /// Where a gradient is zero but for rounding, as the keys' bias's is, Adam scales that up to steps of the size of the learning
  /// rate. Rounding is what lies below a millionth of the largest element: single precision and a few hundred sums leave no more.
  static func determined(by gradient: [Double], in name: String) -> [Int] {
    guard name.hasPrefix("adamw.") else { return Array(gradient.indices) }
    let largest = gradient.reduce(0) { max($0, abs($1)) }
    return gradient.indices.filter { abs(gradient[$0]) >= 1e-6 * largest }
  }
}
