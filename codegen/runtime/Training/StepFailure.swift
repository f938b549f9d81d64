import WaMIMManifest

/// Why a step's loss is not finite, as far as can be found out, and what to do.
struct StepFailure {
  /// The step, counted from 1.
  let step: Int
  let loss: Float
  /// What was found.
  let finding: Finding
  /// The run's folder.
  let folder: String
  /// The step of the last checkpoint, or nil where there is none yet.
  let savedStep: Int?

  enum Finding {
    /// A kernel made the first number that is not finite.
    case kernel(Manifest.Call, phase: Int)
    /// A state was no longer finite before the step.
    case state(String)
    /// The step went on to update the states, so that it cannot be looked at again.
    case unknown
  }

  var error: TrainerError {
    let kept = savedStep.map { "The last checkpoint, of step \($0), is kept" } ?? "There is no checkpoint yet"
    return TrainerError("\(what)\n\(kept). A lower --base-lr or a longer --warmup may help")
  }

  private var what: String {
    switch finding {
    case .kernel(let call, let phase):
      return "step \(step): the first number that is not finite is a result of the kernel `\(call.name)` (\(call.kind), phase "
        + "\(phase)), so the run stops"
    case .state(let name):
      return
        "the loss of step \(step) is \(loss), so the run stops: the update of an earlier step left a value in `\(name)` that is "
        + "not finite. \(advice)"
    case .unknown:
      return "the loss of step \(step) is \(loss), so the run stops. \(advice)"
    }
  }

  private var advice: String {
    let source = savedStep == nil ? "the same command with --overwrite and" : "\(Trainer.executable) fit --resume \(folder)"
    return "To find the kernel where it begins: \(source) --check-values"
  }
}

extension TrainingRun {
  /// Finds out where the step of index `step` stopped being finite.
  ///
  /// - Parameter statesAreThose: Whether the states are still those before the step.
  func failure(ofStep step: Int, loss: Float, statesAreThose: Bool, savedStep: Int?) throws(TrainerError) -> StepFailure {
    var finding = StepFailure.Finding.unknown
    if statesAreThose {
      if let state = model.firstNonFiniteState() {
        finding = .state(state)
      } else {
        let loader = try makeLoader(steps: step..<step + 1)
        defer { loader.stop() }
        _ = try loader.next(into: model.values(batch.input), normalization: batch.normalization)
        fillInputs(step)
        if let (call, phase) = try model.check("step") { finding = .kernel(call, phase: phase) }
      }
    }
    return StepFailure(step: step + 1, loss: loss, finding: finding, folder: folder.path, savedStep: savedStep)
  }
}

extension TrainedModel {
  /// The name of the first state that holds a number that is not finite.
  fileprivate func firstNonFiniteState() -> String? {
    program.manifest.states.first { state in
      let bytes = UnsafeRawBufferPointer(bytes(state.tensor))
      return bytes.baseAddress.map { !ValueCheck.isFinite($0, byteCount: bytes.count) } ?? false
    }?.tensor.name
  }
}
