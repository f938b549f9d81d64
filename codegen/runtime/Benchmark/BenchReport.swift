import WaMIMManifest

/// The tables that `bench` prints for people.
struct BenchReport {
  let result: BenchResult
  /// Whether each call has a row of its own.
  let everyCall: Bool
  /// What the rows are of.
  let grouping: BenchGrouping

  func print() {
    printSummary()
    Console.print("")
    switch grouping {
    case .kernel: printTable()
    case .layer: OriginReport(result: result).printLayers(every: everyCall)
    case .line: OriginReport(result: result).printLines()
    }
    if !result.products.isEmpty { printProducts() }
    if let others = result.shareOfOthers, others > 0.05 {
      Console.warn("other processes used \(percent(others)) of the machine meanwhile: measure again when it has nothing else to do")
    }
  }

  private func printSummary() {
    let (manifest, limits) = (result.manifest, result.limits)
    let milliseconds = [result.medianSeconds, result.stepSeconds.min() ?? 0, result.stepSeconds.max() ?? 0].map {
      Format.fixed($0 * 1e3, decimals: 1)
    }
    let planned = result.memoryPlan.total
    var lines: [(title: String, text: String)] = [
      (
        "model",
        "\(manifest.model), batch \(manifest.batchText), " + (result.ranks > 1 ? "\(result.ranks) ranks of " : "") + result.device
      ),
      ("step", "\(milliseconds[0]) ms, median of \(result.stepSeconds.count) from \(milliseconds[1]) to \(milliseconds[2]) ms"),
      ("images/s", Format.fixed(result.imagesPerSecond, decimals: 2)),
      (
        "multiply-adds",
        "\(Format.count(Double(result.productFlops)))FLOP a step, \(giga(result.flopsPerSecond)) GFLOP/s: "
          + "\(percent(result.flopsPerSecond / limits.arithmetic)) of what the machine can do"
          + (limits.matrixUnitFlops == nil
            ? "" : ", \(percent(result.flopsPerSecond / limits.allThreadsFlops)) of what its vectors can")
      ),
      (
        "memory",
        "\(Format.bytes(result.peakResidentBytes)) at most, \(Format.bytes(planned)) planned: ratio "
          + Format.fixed(Double(result.peakResidentBytes) / Double(planned), decimals: 3)
      ),
      ("waiting", "\(percent(result.share(result.profile.waiting))) of the threads' time, at barriers"),
      ("machine", machine(limits)),
      ("loss", Format.fixed(result.loss, decimals: 5)),
    ]
    if let reduction = result.reduction {
      lines.insert(
        (
          "reduction",
          "\(Format.fixed(reduction.seconds * 1e3, decimals: 1)) ms a step, \(percent(reduction.hiddenShare)) of it while gradients "
            + "were computed; \(Format.bytes(reduction.sentBytes)) sent"
        ), at: 2)
    }
    for line in lines { Console.print(Format.left(line.title, width: 15) + line.text) }
  }

  private func machine(_ limits: MachineLimits) -> String {
    if result.manifest.processor.kind == .gpu {
      let tensorCores = limits.matrixUnitFlops.map { ", \(giga($0)) on tensor cores," } ?? ""
      return
        "\(giga(limits.allThreadsFlops)) GFLOP/s in float32\(tensorCores) in registers; memory \(giga(limits.bandwidth)) GB/s by a copy"
    }
    let products =
      limits.productFlops.map { "sgemm \(giga($0)) GFLOP/s" }
      ?? "no sgemm, as \(CPULimitMeter.usualLibrary) has none here (--blas names another library)"
    let amx = limits.matrixUnitFlops.map { "AMX \(giga($0)) GFLOP/s; " } ?? ""
    return
      "\(giga(limits.oneThreadFlops)) GFLOP/s on one thread, \(giga(limits.allThreadsFlops)) on \(limits.threads); \(amx)"
      + "\(products); memory \(giga(limits.bandwidth)) GB/s"
  }

  /// Prints kinds of kernels in total, and then the kernels.
  private func printTable() {
    let profile = result.profile
    Console.print(
      line("kernel", "kind", "", "calls", "ms", "share", "GFLOP/s", "GB/s", "of limit"))
    for row in profile.kinds { print(row) }
    for (title, seconds) in [("(waiting at barriers)", profile.waiting), ("(between kernels)", result.otherSeconds)] {
      Console.print(
        line(title, "", "", "", Format.fixed(seconds * 1e3, decimals: 2), percent(result.share(seconds)), "", "", ""))
    }
    Console.print("")
    for row in everyCall ? profile.calls : profile.kernels { print(row) }
    Console.print("")
    Console.print(
      "ms are added over threads, rates are those of one thread. The limit is the machine's arithmetic (a) or its memory (m), whichever "
        + "binds first; work on what caches hold can be faster than memory.")
  }

  private func print(_ row: KernelProfile.Row) {
    let kernel = result.kernel(row)
    Console.print(
      line(
        kernel.name, kernel.kind, kernel.kernel.map { "k\($0)" } ?? "", "\(kernel.calls)",
        Format.fixed(kernel.seconds * 1e3, decimals: 2), percent(kernel.share), giga(kernel.flopsPerSecond),
        giga(kernel.bytesPerSecond), "\(percent(kernel.shareOfLimit)) \(kernel.bound == .arithmetic ? "a" : "m")"))
  }

  /// Prints kernels' products beside the library's.
  private func printProducts() {
    Console.print("")
    Console.print(
      Format.left("products of", width: 45) + Format.left("kernel", width: 8) + Format.left("shape", width: 30)
        + Format.right("ms", width: 10) + Format.right("cuBLASLt", width: 10) + Format.right("share", width: 9))
    for product in result.products {
      let shape =
        product.shape[..<3].map(String.init).joined(separator: " x ") + (product.shape[3] > 1 ? ", \(product.shape[3])" : "")
      let library = product.librarySeconds
      Console.print(
        Format.left(product.name, width: 44) + " " + Format.left("k\(product.kernel)", width: 8) + Format.left(shape, width: 30)
          + Format.right(Format.fixed(product.seconds * 1e3, decimals: 3), width: 10)
          + Format.right(library.map { Format.fixed($0 * 1e3, decimals: 3) } ?? "none", width: 10)
          + Format.right(library.map { percent($0 / max(product.seconds, 1e-9)) } ?? "", width: 9))
    }
    Console.print(
      "ms of a call, with what follows its product in the same kernel; the share is that of the rate of cuBLASLt's product alone.")
  }

  private func giga(_ rate: Double) -> String { Format.fixed(rate * 1e-9, decimals: 1) }

  private func percent(_ share: Double) -> String { "\(Format.fixed(100 * share, decimals: 1)) %" }

  private func line(
    _ name: String, _ kind: String, _ kernel: String, _ calls: String, _ milliseconds: String, _ share: String, _ flops: String,
    _ bytes: String, _ limit: String
  ) -> String {
    Format.left(name, width: 44) + " " + Format.left(kind, width: 19) + Format.left(kernel, width: 5)
      + Format.right(calls, width: 7) + Format.right(milliseconds, width: 11) + Format.right(share, width: 8)
      + Format.right(flops, width: 9) + Format.right(bytes, width: 8) + Format.right(limit, width: 11)
  }
}

extension Manifest {
  /// The number of samples in a batch, and how they are taken.
  var batchText: String {
    let microBatches = batch / microBatch
    return microBatches > 1 ? "\(batch) in \(microBatches) micro-batches of \(microBatch)" : "\(batch)"
  }
}
