import WaMIMManifest

/// Where a training run stands, beside the values of its states.
package struct TrainingPosition: Sendable, Equatable {
  /// Steps done.
  package var step: Int
  /// Steps that make an epoch.
  package var stepsPerEpoch: Int
  package var seed: UInt64
  /// What the run was told, under the names of the command line's options; a resumed run continues with it.
  package var options: [String: String]
  /// What the run is made of, where the checkpoint tells.
  package var basis: RunBasis?
  /// The classes that the model tells apart, where it does.
  package var classes: ClassTable?

  package init(
    step: Int, stepsPerEpoch: Int, seed: UInt64, options: [String: String], basis: RunBasis? = nil, classes: ClassTable? = nil
  ) {
    self.classes = classes
    self.step = step
    self.stepsPerEpoch = stepsPerEpoch
    self.seed = seed
    self.options = options
    self.basis = basis
  }
}

/// Training runs on disk: every state in the safetensors format, and where the run stands as the file's metadata.
package enum Checkpoint {
  static let format = "wamim.checkpoint.1"

  /// Replaces the file at `path` by the states of `model`; on failure the old file stays.
  package static func save(_ model: TrainedModel, at position: TrainingPosition, to path: String) throws(TrainerError) {
    var metadata = [
      "format": format, "model": model.program.manifest.model, "step": "\(position.step)",
      "epoch": "\(Double(position.step) / Double(position.stepsPerEpoch))", "steps_per_epoch": "\(position.stepsPerEpoch)",
      "seed": "\(position.seed)", "precision": model.program.manifest.precision.rawValue,
    ]
    if let table = model.program.manifest.positionTables.first(where: \.hasClassToken) {
      metadata[PositionResizing.gridKey] = "\(table.grid)"
    }
    metadata.merge(position.basis?.metadata ?? [:]) { $1 }
    metadata["classes"] = try position.classes?.json
    for (name, value) in position.options { metadata["option.\(name)"] = value }
    let states = model.program.states(withAverages: model.keepsAverages)
    try Safetensors.write(states.map { Safetensors.Layout($0) }, metadata: metadata, to: path) {
      (index, file) throws(TrainerError) in
      try model.device.download(states[index], in: .arena) { (piece) throws(TrainerError) in try file.write(piece) }
    }
  }

  /// Fills the states of `model` from the file at `path`, which has to hold exactly those, and says where the run stands.
  ///
  /// Running means of parameters are what a model may keep, and a file have, alone: those that the file lacks begin with the parameters.
  package static func load(_ path: String, into model: TrainedModel) throws(TrainerError) -> TrainingPosition {
    let reader = try SafetensorsReader(path)
    let hasAverages = hasAverages(reader, of: model.program)
    try reader.check(holds: model.program.states(withAverages: hasAverages))
    let position = try position(in: reader, model: model.program.manifest.model)
    let states = model.program.states(withAverages: hasAverages && model.keepsAverages)
    for state in states { try reader.read(state, of: model) }
    if model.keepsAverages && !hasAverages { try model.beginAverages() }
    if let index = try model.device.firstNonFinite(among: states) {
      throw TrainerError("\(path): tensor `\(states[index].name)` holds a number that is not finite; no run can go on from it")
    }
    return position
  }

  /// Fills the parameters and buffers of `model` from the file at `path`, and leaves the optimiser's moments alone.
  ///
  /// The file may be a whole checkpoint, or hold those only.
  /// - Parameter averaged: Whether parameters become the running means that the file has of them.
  package static func loadParameters(_ path: String, into model: TrainedModel, averaged: Bool = false) throws(TrainerError) {
    let reader = try SafetensorsReader(path)
    try check(reader, of: model.program)
    let names = try names(in: reader, of: model.program, averaged: averaged)
    for tensor in model.program.weights { try reader.read(tensor, of: model, from: names[tensor.name]) }
  }

  /// The names in a file of what stands for parameters and has another name: of their running means where those are asked for.
  static func names(in reader: SafetensorsReader, of program: Program, averaged: Bool) throws(TrainerError) -> [String: String] {
    guard averaged else { return [:] }
    guard hasAverages(reader, of: program) else {
      throw TrainerError("\(reader.path) has no running means of the parameters: train with --ema 0.9999, or leave --ema out")
    }
    return Dictionary(program.averages.map { ($0.parameter.name, $0.average.name) }) { first, _ in first }
  }

  /// Checks that a file holds the parameters and buffers of `program`, either alone or with what else runs keep.
  static func check(_ reader: SafetensorsReader, of program: Program) throws(TrainerError) {
    let weights = Set(program.weights.map(\.name))
    let states = program.states(withAverages: hasAverages(reader, of: program))
    let holdsStates = states.contains { !weights.contains($0.name) && reader.header.entries[$0.name] != nil }
    try reader.check(holds: holdsStates ? states : program.weights)
  }

  /// Whether a file has running means of the parameters of `program`.
  private static func hasAverages(_ reader: SafetensorsReader, of program: Program) -> Bool {
    program.averages.contains { reader.header.entries[$0.average.name] != nil }
  }

  /// Reads only where the run in the file at `path` stands.
  package static func position(_ path: String, model: String) throws(TrainerError) -> TrainingPosition {
    try position(in: try SafetensorsReader(path), model: model)
  }

  private static func position(in reader: SafetensorsReader, model: String) throws(TrainerError) -> TrainingPosition {
    let metadata = reader.header.metadata
    guard metadata["format"] == format else {
      throw TrainerError("\(reader.path) is not a checkpoint of a training run: its metadata does not say \(format)")
    }
    guard metadata["model"] == model else {
      throw TrainerError("\(reader.path) is a checkpoint of the model \(metadata["model"] ?? "?"), and this trainer's is \(model)")
    }
    guard let step = metadata["step"].flatMap({ Int($0) }), step >= 0,
      let stepsPerEpoch = metadata["steps_per_epoch"].flatMap({ Int($0) }), stepsPerEpoch > 0,
      let seed = metadata["seed"].flatMap({ UInt64($0) })
    else {
      throw TrainerError("\(reader.path): its metadata does not say where the run stands (step, steps_per_epoch, seed)")
    }
    let classes = try metadata["classes"].map { (json) throws(TrainerError) in
      do throws(TrainerError) { return try ClassTable(json: json) } catch { throw TrainerError("\(reader.path): \(error.message)") }
    }
    var options: [String: String] = [:]
    for (name, value) in metadata where name.hasPrefix("option.") { options[String(name.dropFirst(7))] = value }
    return TrainingPosition(
      step: step, stepsPerEpoch: stepsPerEpoch, seed: seed, options: options, basis: RunBasis(metadata: metadata),
      classes: classes)
  }
}
