import ArgumentParser

/// When a run saves, and what it keeps.
struct CheckpointOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Steps between checkpoints (default: one epoch).", valueName: "steps"))
  var every: Int?

  @Option(
    help: ArgumentHelp("Checkpoints of earlier steps to keep beside the newest, as checkpoint-STEP.safetensors.", valueName: "n"))
  var keep: Int?

  func validate() throws {
    if let every, every < 1 { throw ValidationError("--every has to be 1 or more") }
    if let keep, keep < 0 { throw ValidationError("--keep has to be 0 or more") }
  }
}

/// What a run tells while it trains.
struct WatchOptions: ParsableArguments {
  @Option(
    name: .customLong("val"),
    help: ArgumentHelp(
      "Images to evaluate on after each epoch: the mean loss with fixed masks on the middle of each; like --data, also several times.",
      valueName: "folder"))
  var validation: [String] = []

  @Option(
    name: .customLong("val-labels"),
    help: ArgumentHelp("For models that take labels: the file of --labels for the images of --val.", valueName: "file"))
  var validationLabels: String?

  @Option(
    name: .customLong("knn"),
    help: ArgumentHelp(
      "Labelled images whose classes are told after each epoch by the nearest neighbours of their features, every fifth by the others.",
      valueName: "folder"))
  var neighbours: [String] = []

  @Option(name: .customLong("knn-labels"), help: ArgumentHelp("The file of --labels for the images of --knn.", valueName: "file"))
  var neighbourLabels: String?

  @Option(help: ArgumentHelp("Steps between what TensorBoard is told (default: 10).", valueName: "steps"))
  var logEvery: Int?

  @Option(
    help: ArgumentHelp(
      "Epochs between pictures of reconstructions for TensorBoard, or 0 for none (default: 1).", valueName: "epochs"))
  var pictures: Int?

  @Option(
    help: ArgumentHelp(
      "Write what each thread did in the first steps, for chrome://tracing and ui.perfetto.dev, to this file.", valueName: "file"))
  var profile: String?

  @Option(help: ArgumentHelp("Steps that --profile shows.", valueName: "n"))
  var profileSteps = 10

  func validate() throws {
    if let logEvery, logEvery < 1 { throw ValidationError("--log-every has to be 1 or more") }
    if let pictures, pictures < 0 { throw ValidationError("--pictures has to be 0 or more") }
    if profile == "" { throw ValidationError("--profile takes the name of a file, and this one is empty") }
    if !(1...10_000).contains(profileSteps) { throw ValidationError("--profile-steps has to be from 1 to 10000") }
  }
}
