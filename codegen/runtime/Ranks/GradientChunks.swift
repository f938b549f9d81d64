import CProgram
import WaMIMManifest

/// A stretch of the accumulators that ranks send at a time.
package struct GradientChunk: Sendable, Equatable {
  /// Elements, counted from the start of the accumulators.
  package var elements: Range<Int>
  /// The phase of the schedule `gradients` that writes to them last.
  package var lastPhase: Int
}

/// The chunks of a program's accumulators, in the order in which the backward pass is done with them.
package enum GradientChunks {
  /// Cuts the accumulators of `program` into chunks of at most `targetCount` elements.
  package static func of(_ program: Program, count targetCount: Int) throws(TrainerError) -> [GradientChunk] {
    let tensors = program.manifest.accumulators.sorted { $0.offset < $1.offset }
    let phases = lastPhases(of: tensors, in: program.schedules[try program.schedule(.gradients)])
    var chunks: [GradientChunk] = []
    for (tensor, phase) in zip(tensors, phases) {
      let elements = tensor.offset / 4..<(tensor.offset + tensor.byteCount) / 4
      if let last = chunks.last, last.elements.count + elements.count <= targetCount {
        // Small tensors travel together, with the few bytes between them.
        chunks[chunks.count - 1] = GradientChunk(
          elements: last.elements.lowerBound..<elements.upperBound, lastPhase: max(last.lastPhase, phase))
        continue
      }
      for start in stride(from: elements.lowerBound, to: elements.upperBound, by: targetCount) {
        chunks.append(GradientChunk(elements: start..<min(start + targetCount, elements.upperBound), lastPhase: phase))
      }
    }
    // The backward pass ends with what comes first.
    return chunks.sorted { ($0.lastPhase, -$0.elements.lowerBound) < ($1.lastPhase, -$1.elements.lowerBound) }
  }

  /// The last phase of `schedule` that touches each of `tensors`, which are in the order of their offsets.
  private static func lastPhases(of tensors: [Manifest.Tensor], in schedule: wamim_schedule) -> [Int] {
    var phases = tensors.map { _ in 0 }
    for (phase, content) in schedule.allPhases.enumerated() {
      for argument in content.allGroups.lazy.flatMap(\.arguments) where argument.storage == UInt32(WAMIM_STORAGE_ACCUMULATORS) {
        guard let index = tensors.lastIndex(where: { $0.offset <= Int(argument.offset) }) else { continue }
        phases[index] = phase
      }
    }
    return phases
  }
}
