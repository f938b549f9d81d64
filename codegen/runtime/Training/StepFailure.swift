import WaMIMManifest

/// Why a step's loss is not finite, as far as can be found out, and what to do.
struct StepFailure {
  /// The step, counted from 1.
  let step: Int
  let loss: Float
  /// What was found.
  let finding: Finding
  /// The last checkpoint, or nil where there is none yet.
  let saved: RunFolder.Origin?
  /// What matmuls and attention read.
  let precision: ElementType

  enum Finding {
    /// A kernel made the first number that is not finite.
    case kernel(Manifest.Call, phase: Int)
    /// A state was no longer finite before the step.
    case state(String)
    /// No kernel was found when the step was made again.
    case nothing
  }

  var error: TrainerError {
    let kept = saved.map { "The last checkpoint, of step \($0.step), is kept" } ?? "There is no checkpoint yet"
    return TrainerError("\(what)\n\(kept). A lower --base-lr or a longer --warmup may help\(precisionAdvice)")
  }

  /// How to go on where matmuls do not round what they read.
  private var precisionAdvice: String {
    guard precision != .float32 else { return "" }
    let resuming = saved.map { ", and 'fit --resume \(ShellWord.quoted($0.checkpoint))' of that trainer goes on from there" } ?? ""
    return ". Matmuls read \(precision.rawValue) here: 'wamimc --precision f32' compiles a trainer in float32\(resuming)"
  }

  private var what: String {
    switch finding {
    case .kernel(let call, let phase):
      return "step \(step): the first number that is not finite is a result of the kernel k\(call.kernel) `\(call.name)` "
        + "(\(call.kind), phase \(phase)), so the run stops"
    case .state(let name):
      return
        "the loss of step \(step) is \(loss), so the run stops: the update of an earlier step left a value in `\(name)` that is "
        + "not finite. \(advice)"
    case .nothing:
      return "the loss of step \(step) is \(loss), so the run stops. \(advice)"
    }
  }

  private var advice: String {
    let source =
      saved.map { "\(ShellWord.quoted(Trainer.executable)) fit --resume \(ShellWord.quoted($0.checkpoint))" }
      ?? "the same command with --overwrite and"
    return "To find the kernel where it begins: \(source) --check-values"
  }
}

extension TrainingRun {
  /// Finds out where the step of index `step`, which went as `result` says, stopped being finite; the states are those before it.
  func failure(of result: OptimizerStep.Result, step: Int) throws(TrainerError) -> StepFailure {
    func failure(_ loss: Float, _ finding: StepFailure.Finding) -> StepFailure {
      StepFailure(
        step: step + 1, loss: loss, finding: finding, saved: folder.resumable,
        precision: model.program.manifest.precision)
    }
    switch result {
    case .made(let losses, _): return failure(Float(losses.total), .nothing)
    case .interrupted: return failure(.nan, .nothing)
    case .found(let call, let phase): return failure(.nan, .kernel(call, phase: phase))
    case .left(let loss):
      if let state = try model.firstNonFiniteState() { return failure(loss, .state(state)) }
      try model.device.clearAccumulators()
      let loader = try makeLoader(steps: step..<step + 1)
      defer { loader.stop() }
      guard case .found(let call, let phase) = try makeStep(step, loader: loader, checksValues: true).result else {
        return failure(loss, .nothing)
      }
      return failure(loss, .kernel(call, phase: phase))
    }
  }
}

extension TrainedModel {
  /// The name of the first state that holds a number that is not finite.
  fileprivate func firstNonFiniteState() throws(TrainerError) -> String? {
    let states = program.states(withAverages: keepsAverages)
    return try device.firstNonFinite(among: states).map { states[$0].name }
  }
}
