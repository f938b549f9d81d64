import Foundation
import Testing
import WaMIMLLVM

/// Measurements of compiled trainers: what they print, and whether it is true.
@Suite(.serialized) struct BenchTests {
  /// The number under `key`.
  private func number(_ object: [String: Any], _ key: String) throws -> Double {
    try #require(object[key] as? Double, "no number '\(key)'")
  }

  private func bench(_ workshop: borrowing Workshop, _ options: String...) throws -> [String: Any] {
    let result = try workshop.run(workshop.path("train"), ["bench", "--json"] + options)
    try #require(result.status == 0, "\(result.errors)")
    return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
  }

  @Test("Kernels, waits and the rest add up to the step, and rates to what was counted")
  func summary() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", ["batch=4", "dim=96"])
    let result = try bench(workshop, "--steps", "3", "--threads", "2")
    let kernels = try #require(result["kernels"] as? [[String: Any]])
    let seconds = try #require(result["step_seconds"] as? [Double])
    #expect(seconds.count == 3)
    let busy = try kernels.reduce(0.0) { try $0 + number($1, "seconds") }
    let total = try busy + number(result, "waiting_seconds") + number(result, "other_seconds")
    let available = 2 * seconds.reduce(0, +) / 3
    #expect(abs(total - available) < 0.01 * available, "\(total) of \(available)")
    let shares = try kernels.reduce(0.0) { try $0 + number($1, "share") }
    #expect(shares > 0 && shares <= 1.001)

    let median = try number(result, "step_seconds_median")
    #expect(try abs(number(result, "images_per_second") * median - 4) < 1e-6)
    #expect(try abs(number(result, "flops_per_second") * median / number(result, "multiply_add_flops") - 1) < 1e-6)
    #expect(try abs(kernels.reduce(0.0) { try $0 + number($1, "flops") } / number(result, "flops") - 1) < 1e-6)
    #expect(try number(result, "flops") >= number(result, "multiply_add_flops"))
    let limits = try #require(result["limits"] as? [String: Any])
    #expect(try number(result, "share_of_limit") < 1.05)
    #expect(try number(limits, "flops_all_threads") > 0.5 * number(limits, "flops_one_thread"))
    #expect(try number(limits, "bytes_per_second") > 1e8)

    // The same calls, each on its own.
    let calls = try #require(try bench(workshop, "--steps", "1", "--every-call")["kernels"] as? [[String: Any]])
    #expect(calls.count > kernels.count)
    #expect(
      try abs(calls.reduce(0.0) { try $0 + number($1, "bytes") } / kernels.reduce(0.0) { try $0 + number($1, "bytes") } - 1) < 1e-9)
  }

  @Test("A library's sgemm is measured where the program has none, and where a library is named")
  func library() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", ["batch=2", "dim=48"], options: ["--matmul", "generated"])
    // It comes with what trainers are linked with.
    for options in [[], ["--blas", "libopenblas.so.0"]] {
      let result = try workshop.run(workshop.path("train"), ["bench", "--steps", "1"] + options)
      #expect(result.status == 0 && result.output.contains(#/; sgemm [0-9.]+ GFLOP/s;/#), "\(result.output)")
    }
    // A library of that name that has no products is none.
    try Data().write(to: URL(fileURLWithPath: workshop.path("empty.c")))
    try #require(workshop.run("/usr/bin/env", ["cc", "-shared", "-o", "libopenblas.so.0", "empty.c"]).status == 0)
    let without = try workshop.run(
      workshop.path("train"), ["bench", "--steps", "1"], environment: ["LD_LIBRARY_PATH": workshop.folder.path])
    #expect(without.status == 0 && without.output.contains("no sgemm"), "\(without.output)\(without.errors)")
    for (name, reason) in [("libnone.so", "libnone.so"), ("libz.so.1", "cblas_sgemm")] {
      let result = try workshop.run(workshop.path("train"), ["bench", "--steps", "1", "--blas", name])
      #expect(result.status != 0 && result.errors.contains(reason), "\(result.errors)")
    }
  }

  @Test("AMX counts where matmuls run on it, and only there")
  func matrixUnits() throws {
    let workshop = try Workshop()
    let hasUnit = TargetProcessor.native.features.contains("amx-bf16")
    for (options, uses) in [([], hasUnit), (["--matmul", "openblas"], false)] {
      try workshop.compile("wamim_vit_demo", ["batch=8", "dim=192"], options: options)
      let result = try bench(workshop, "--steps", "1", "--threads", "2")
      let limits = try #require(result["limits"] as? [String: Any])
      #expect((limits["matrix_unit_flops"] != nil) == uses, "\(options)")
      let (share, ofVectors) = try (number(result, "share_of_limit"), number(result, "share_of_multiply_adds"))
      guard uses else { continue }
      #expect(try number(limits, "matrix_unit_flops") > number(limits, "flops_all_threads") && share < ofVectors)
    }
  }

  @Test("What it takes to measure the machine does not count in the peak")
  func measuring() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", ["batch=2", "dim=48"], options: ["--matmul", "openblas"])
    // Each thread's product takes more than the thread itself.
    let result = try bench(workshop, "--steps", "1", "--threads", "16")
    #expect(try number(result, "peak_rss_bytes") < 1.1 * number(result, "planned_bytes"))
  }

  @Test("Multiply-adds of attention and matrix products are those of the formula")
  func arithmetic() throws {
    let workshop = try Workshop()
    try workshop.compile(
      "wamim_vit_demo",
      ["image=32", "patch=8", "dim=48", "depth=2", "heads=4", "taps=[2]", "levels=[3]", "weights=[1.0]", "batch=2"])
    let result = try bench(workshop, "--steps", "1", "--every-call")
    let kernels = try #require(result["kernels"] as? [[String: Any]])
    func flops(_ name: String, _ kind: String) throws -> [Double] {
      try kernels.filter { $0["name"] as? String == name && $0["kind"] as? String == kind }.map { try number($0, "flops") }
    }
    // Two samples of a class token and 4 of 16 patches; queries times keys, and probabilities times values.
    #expect(try flops("blocks.0.attn", "attention") == [2 * 2 * 2 * 5 * 5 * 48])
    #expect(try flops("gradient blocks.0.attn", "attention_gradient") == [2 * 5 * 2 * 5 * 5 * 48])
    #expect(try flops("blocks.0.mlp.fc1", "matmul")[0] >= 2 * 2 * 5 * 48 * 192)
  }

  @Test("Layers and lines add up to the time of the kernels, and the model's text stands beside the numbers")
  func groupings() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", ["batch=2", "dim=48"])
    let result = try bench(workshop, "--steps", "2", "--threads", "2")
    func sum(_ group: String, _ key: String) throws -> Double {
      try #require(result[group] as? [[String: Any]]).reduce(0) { $0 + (try number($1, key)) }
    }
    for key in ["seconds", "flops", "bytes", "share"] {
      let total = try sum("kernels", key)
      for group in ["layers", "lines"] {
        let sum = try sum(group, key)
        #expect(abs(sum / total - 1) < 1e-6, "\(key) of \(group)")
      }
    }
    let lines = try #require(result["lines"] as? [[String: Any]])
    let regions = try #require(lines.first?["seconds_by_region"] as? [String: Double])
    #expect(Set(regions.keys) == ["forward", "backward", "update"])
    let text = try String(contentsOfFile: Workshop.model("wamim_vit_demo"), encoding: .utf8).split(separator: "\n")
    let vit = try #require(text.first { $0.contains("= vit(") })
    let byLine = try workshop.run(workshop.path("train"), ["bench", "--steps", "1", "--by", "line"])
    #expect(byLine.status == 0 && text.allSatisfy { byLine.output.contains($0) }, "\(byLine.output)\(byLine.errors)")
    #expect(byLine.output.split(separator: "\n").contains { $0.hasSuffix(vit) && $0.contains(" %") }, "\(byLine.output)")
    let byLayer = try workshop.run(workshop.path("train"), ["bench", "--steps", "1", "--by", "layer"])
    #expect(byLayer.status == 0 && byLayer.output.contains("  blocks.*.mlp.fc1\n"), "\(byLayer.output)\(byLayer.errors)")
  }

  @Test("A profile is valid JSON whose events follow each other on each thread and fill the steps")
  func profile() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", ["batch=4", "dim=96"])
    let result = try workshop.run(
      workshop.path("train"), ["bench", "--steps", "3", "--threads", "2", "--profile", "bench.trace"])
    try #require(result.status == 0, "\(result.errors)")
    try check(trace: workshop.path("bench.trace"), steps: 3, threads: 2, gap: 0.2)
    let fit = try workshop.run(
      workshop.path("train"),
      ["fit", "--data", "synthetic:40", "--threads", "2", "--limit-steps", "4", "--profile", "fit.trace", "--profile-steps", "2"])
    try #require(fit.status == 0, "\(fit.errors)")
    try check(trace: workshop.path("fit.trace"), steps: 2, threads: 2, gap: 0.5)
  }

  @Test("A profile that cannot be written shows before the first step, or costs no measurement and no training")
  func unwritableProfile() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", ["batch=2", "dim=48"])
    for command in [["bench"], ["fit", "--data", "synthetic:40", "--limit-steps", "3"]] {
      let train = { (path: String) in try workshop.run(workshop.path("train"), command + ["--profile", path]) }
      let missing = try train("none/trace")
      #expect(missing.status == 1 && missing.errors.contains("cannot write none/trace: "), "\(missing.errors)")
      #expect(!missing.output.contains("loss"))
      let nameless = try train("")
      #expect(nameless.status == 64 && nameless.errors.contains("--profile takes the name of a file"), "\(nameless.errors)")
      // The file that is going to be the profile is on a full disk.
      try FileManager.default.createSymbolicLink(atPath: workshop.path("trace.tmp"), withDestinationPath: "/dev/full")
      let full = try train("trace")
      #expect(full.status == (command == ["bench"] ? 1 : 0) && full.errors.contains("cannot write trace: "), "\(full.errors)")
      #expect(full.output.contains("loss"))
    }
  }

  /// Checks that events do not overlap unless one holds the other, and that of the steps no more than `gap` has no event.
  private func check(trace path: String, steps: Int, threads: Int, gap: Double) throws {
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any]
    let events = try #require(object?["traceEvents"] as? [[String: Any]]).filter { $0["ph"] as? String == "X" }
    struct Stretch {
      var name: String, category: String
      var start, end: Double
    }
    var tracks: [Int: [Stretch]] = [:]
    for event in events {
      let start = try number(event, "ts")
      let thread = try #require(event["tid"] as? Int)
      tracks[thread, default: []].append(
        Stretch(
          name: try #require(event["name"] as? String), category: try #require(event["cat"] as? String), start: start,
          end: start + (try number(event, "dur"))))
    }
    #expect(tracks.count == threads)
    let outer = try #require(tracks[0]).filter { $0.category == "step" && $0.name.hasPrefix("step ") }
    #expect(outer.count == steps)
    for (thread, track) in tracks {
      let leaves = track.filter { $0.category != "step" }
      #expect(leaves.contains { $0.name == "barrier" } && leaves.contains { $0.category == "matmul" })
      // As they stand in the file; to the nanosecond, but for the rounding of binary fractions.
      #expect(zip(leaves, leaves.dropFirst()).allSatisfy { $0.end <= $1.start + 1e-4 }, "thread \(thread)")
      let inside = outer.map { step in leaves.filter { $0.start >= step.start - 1e-4 && $0.end <= step.end + 1e-4 } }
      #expect(inside.reduce(0) { $0 + $1.count } == leaves.count, "thread \(thread): an event is in no step")
      let filled = inside.joined().reduce(0) { $0 + $1.end - $1.start }
      let whole = outer.reduce(0) { $0 + $1.end - $1.start }
      #expect(filled > (1 - gap) * whole && filled <= whole + 0.1, "thread \(thread): \(filled) of \(whole)")
    }
  }

  @Test(
    "The planned peak is within a tenth of what a process takes",
    arguments: [
      ("wamim_vit_demo", ["depth=6", "taps=[2, 3, 4, 6]"]), ("wamim_vit_demo", ["batch=24"]), ("wamim_vit_tiny", ["batch=16"]),
    ])
  func memory(model: String, settings: [String]) throws {
    let workshop = try Workshop()
    try workshop.compile(model, settings)
    for threads in ["1", "3"] {
      let result = try bench(workshop, "--steps", "1", "--threads", threads)
      let (planned, peak) = (try number(result, "planned_bytes"), try number(result, "peak_rss_bytes"))
      #expect(abs(peak / planned - 1) < 0.1, "\(threads) threads: \(peak) of \(planned)")
    }
    // With images that are read, and pictures at the end.
    let fit = try workshop.run(
      workshop.path("train"), ["fit", "--data", "synthetic:48", "--epochs", "1", "--threads", "2", "--loader-threads", "2"])
    try checkPeak(fit)
  }

  /// Checks that a run of `fit` took about as much memory as it had planned.
  private func checkPeak(_ fit: CommandResult) throws {
    try #require(fit.status == 0, "\(fit.errors)")
    let sizes = fit.output.matches(of: #/([0-9.]+) MiB at most, ([0-9.]+) MiB planned/#).compactMap { match in
      Double(match.1).flatMap { peak in Double(match.2).map { (peak: peak, planned: $0) } }
    }
    try #require(sizes.count == 1, "\(fit.output)")
    #expect(abs(sizes[0].peak / sizes[0].planned - 1) < 0.1, "\(sizes)")
  }

  @Test("What it takes to find very many images is planned, for those to train on and those to evaluate on")
  func manyImages() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", ["batch=2"])
    let image = Workshop.repository.appendingPathComponent("Tests/WaMIMRuntimeTests/Fixtures/color.png").path
    let files = FileManager.default
    // A file may not have many more links on some file systems.
    for folder in 0..<5 {
      try files.createDirectory(atPath: workshop.path("images/\(folder)"), withIntermediateDirectories: true)
      let first = workshop.path("images/\(folder)/first.png")
      try files.copyItem(atPath: image, toPath: first)
      let name = String(repeating: "a photograph with a rather long name, ", count: 5)
      for index in 0..<10_000 { try #require(link(first, workshop.path("images/\(folder)/\(name)\(index).png")) == 0) }
      // A folder that has only just changed is looked through again.
      let past = [FileAttributeKey.modificationDate: Date(timeIntervalSinceNow: -60)]
      try files.setAttributes(past, ofItemAtPath: workshop.path("images/\(folder)"))
    }
    try files.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -60)], ofItemAtPath: workshop.path("images"))
    for start in [["fit", "--data", "images", "--val", "images", "--out", "run"], ["fit", "--resume", "run"]] {
      let limits = ["--limit-steps", start.contains("--resume") ? "4" : "2", "--threads", "2", "--loader-threads", "2"]
      try checkPeak(workshop.run(workshop.path("train"), start + limits))
    }
  }

  @Test("The compiler's plan says what the trainer does of its memory")
  func plans() throws {
    let workshop = try Workshop()
    try workshop.compile("wamim_vit_demo", ["batch=2"])
    let plan = try workshop.wamimc([Workshop.model("wamim_vit_demo"), "--set", "batch=2", "--emit", "plan"])
    let planned = try #require(plan.output.firstMatch(of: #/peak of a training process ([0-9.]+) MiB/#).flatMap { Double($0.1) })
    let info = try workshop.run("/usr/bin/taskset", ["-c", "0", workshop.path("train"), "info", "--threads", "1"])
    let told = try #require(
      info.output.firstMatch(of: #/memory +([0-9.]+) MiB at most while it trains/#).flatMap { Double($0.1) })
    // The plan rounds up, so that as much is enough.
    #expect(planned >= told && planned < told + 0.11)
  }
}
