import ArgumentParser
import WaMIMManifest

/// `probe`: how well a linear map of features tells classes apart.
struct ProbeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "probe",
    abstract: "Train a linear classifier on the encoder's features.",
    discussion: """
      MAE's probe: batch norm without scale and shift, then a linear map, trained by LARS. The features are those of the middle of each \
      image, computed once; MAE crops and flips anew in every epoch, which graphs/probe_vit.wg does. Prints the shares of images of \
      --val whose class is first, and among the first five.

      Example: train probe --checkpoint run --train photos/train --val photos/val
      """)

  @OptionGroup var images: LabelledFeatureOptions

  @OptionGroup var data: ImageReadingOptions

  @Option(help: ArgumentHelp("Epochs.", valueName: "n"))
  var epochs = 90

  @Option(help: ArgumentHelp("Epochs of linear warm-up.", valueName: "n"))
  var warmup = 10

  @Option(help: ArgumentHelp("Learning rate for a batch of 256.", valueName: "rate"))
  var baseLr = 0.1

  @Option(help: ArgumentHelp("Images of a step, at most.", valueName: "n"))
  var batch = 16_384

  @Flag(help: "Plain gradient descent with momentum instead of LARS.")
  var sgd = false

  @Option(help: ArgumentHelp("Seed of the first weights and of the images' order.", valueName: "n"))
  var seed: UInt64 = 0

  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    if !(1...100_000).contains(epochs) { throw ValidationError("--epochs has to be from 1 to 100000") }
    if !(0...100_000).contains(warmup) { throw ValidationError("--warmup has to be from 0 to 100000") }
    if !(1...1 << 20).contains(batch) { throw ValidationError("--batch has to be from 1 to \(1 << 20)") }
    if !(baseLr >= 0 && baseLr.isFinite) { throw ValidationError("--base-lr has to be 0 or more") }
  }

  func run() throws {
    let (train, val, classes) = try images.tables(data.options, threads: threads)
    var options = LinearProbe.Options()
    (options.epochs, options.warmup, options.baseLearningRate) = (epochs, warmup, baseLr)
    (options.largestBatch, options.seed) = (batch, seed)
    if sgd { options.trust = nil }
    let probe = LinearProbe(width: train.width, classes: classes.count, threads: threads.count, seed: seed)
    var loss = 0.0
    try probe.train(on: train, options) { _, mean in loss = mean }
    guard loss.isFinite else { throw TrainerError("the probe's loss is not finite: try a smaller --base-lr") }
    var accuracy = RankedAccuracy(ranks: [1, 5])
    let logits = try probe.logits(val)
    for (index, label) in val.labels.enumerated() {
      accuracy.add(logits[index * classes.count..<(index + 1) * classes.count], label: Int(label))
    }
    let shares = accuracy.shares.map { Format.fixed(100 * $0, decimals: 2) }
    Console.print("\(train.count) images to learn from, \(classes.count) classes; training loss \(Format.fixed(loss, decimals: 4))")
    Console.print("\(val.count) images: top-1 \(shares[0]) %   top-5 \(shares[1]) %")
  }
}
