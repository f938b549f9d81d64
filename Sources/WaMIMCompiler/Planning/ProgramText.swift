import WaMIMGraph
import WaMIMManifest

extension Program {
  /// Every kernel as text, with how often each schedule calls it.
  public var kernelText: String {
    var counts: [KernelID: [String: Int]] = [:]
    for schedule in schedules {
      for call in schedule.phases.flatMap(\.groups).flatMap(\.calls) {
        counts[call.kernel, default: [:]][schedule.name, default: 0] += 1
      }
    }
    return kernels.enumerated().map { index, kernel in
      let uses = schedules.compactMap { schedule in
        counts[KernelID(index)]?[schedule.name].map { "\($0) in \(schedule.name)" }
      }
      let origins = manifest.calls.filter { $0.kernel == index }.flatMap(\.origins.entries)
      return "// for " + text(of: origins, joiningLayers: true) + "\n// called " + uses.joined(separator: ", ") + "\n"
        + kernel.text(named: "k\(index)_\(kernel.body.kind)", variant: variants[index].text)
    }.joined(separator: "\n")
  }

  /// The schedules as text: memory, buffers with their offsets and live ranges, phases with their calls.
  public var planText: String {
    let states = manifest.states.reduce(0) { $0 + $1.tensor.byteCount }
    let microBatches = manifest.batch / manifest.microBatch
    var lines = [
      "plan \(name)",
      "batch \(manifest.batch)" + (microBatches > 1 ? ", in \(microBatches) micro-batches of \(manifest.microBatch)" : ""),
      "arena \(mebibytes(arenaBytes)), of which \(mebibytes(states)) parameters and optimiser state; "
        + "accumulators \(mebibytes(accumulatorBytes)); scratch \(mebibytes(scratchBytes)) a thread",
    ]
    // How many threads there will be is the trainer's to say.
    let schedulesOfStep = manifest.stepRuns().map(\.schedule)
    let plan = manifest.memoryPlan(schedules: schedulesOfStep, threads: 1, sources: 1, loaders: 1)
    let more = manifest.memoryPlan(schedules: schedulesOfStep, threads: 2, sources: 1, loaders: 2).total - plan.total
    lines.append("peak of a training process \(mebibytes(plan.total)), and \(mebibytes(more)) for each thread after the first")
    lines += plan.rows.map { "  \(mebibytes($0.bytes)) \($0.name)" }
    for schedule in schedules { lines += schedule.lines(self) }
    return lines.joined(separator: "\n") + "\n"
  }
}

/// `bytes` to a tenth of a MiB, rounded up, so that as much is enough.
func mebibytes(_ bytes: Int) -> String {
  let tenths = (bytes * 10 + (1 << 20) - 1) >> 20
  return "\(tenths / 10).\(tenths % 10) MiB"
}

extension Schedule {
  fileprivate func lines(_ program: Program) -> [String] {
    var lines = [
      "",
      "schedule \(name): \(phases.count) phases, arena \(mebibytes(arenaBytes)), scratch \(mebibytes(scratchBytes)) a thread"
        + (usesAccumulators ? ", and the accumulators" : ""),
      "  buffers (storage, offset, bytes, live, type, name)",
    ]
    let ordered = buffers.sorted {
      ($0.storage == .arena ? 0 : 1, $0.live.lowerBound, $0.offset) < ($1.storage == .arena ? 0 : 1, $1.live.lowerBound, $1.offset)
    }
    for buffer in ordered {
      let storage = buffer.storage == .arena ? "arena  " : "scratch"
      lines.append(
        "    \(storage) \(buffer.offset) \(buffer.byteCount) \(buffer.live.lowerBound)...\(buffer.live.upperBound) \(buffer.type) \(buffer.name)"
      )
    }
    for (index, phase) in phases.enumerated() {
      lines.append("  phase \(index)")
      for group in phase.groups {
        lines.append("    \(counted(group.chunks, "chunk")) of \(counted(group.units, "unit"))")
        lines += group.calls.map { "      " + program.line(of: $0) }
      }
    }
    return lines
  }
}

extension Program {
  fileprivate func line(of call: Call) -> String {
    let arguments = call.arguments.map { placement in
      placement.storage.rawValue + "+\(placement.offset)"
        + (placement.unitStride > 0 ? "/\(placement.unitStride)" : "")
    }
    let kind = kernels[call.kernel.index].body.kind
    let description = manifest.calls[call.description]
    return "k\(call.kernel.index)_\(kind)(\(arguments.joined(separator: ", ")))  // \(description.name)"
      + " [\(variants[call.kernel.index].name)], for \(text(of: description.origins.entries, joiningLayers: false))"
  }

  /// The layers and the lines that `origins` name, each once.
  ///
  /// - Parameter joiningLayers: Whether layers that differ by a number are told as one.
  fileprivate func text(of origins: [Manifest.Origin], joiningLayers: Bool) -> String {
    let tables = manifest.origins
    let layers = Set(origins.map { tables.layers[$0.layer] }).map { joiningLayers ? Manifest.pattern($0) : $0 }
    let named = Set(layers).subtracting([""]).sorted()
    let numbers = Dictionary(grouping: origins.filter { $0.source != nil }) { $0.source ?? 0 }.mapValues { Set($0.map(\.line)) }
    let files = numbers.sorted { $0.key < $1.key }.map { source, lines in
      tables.sources[source].file + ":" + lines.sorted().map(String.init).joined(separator: ",")
    }
    return ((named.isEmpty ? ["the model"] : named) + files).joined(separator: " ")
  }
}

/// A count of things, such as `1 chunk` or `2 chunks`.
private func counted(_ count: Int, _ thing: String) -> String { "\(count) \(thing)\(count == 1 ? "" : "s")" }
