import ArgumentParser
import WaMIMManifest

/// `knn`: how well nearest neighbours of features tell classes apart.
struct NeighboursCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "knn",
    abstract: "Classify images by the nearest neighbours of their features.",
    discussion: """
      The k training images of the largest cosine similarity s vote for their class with exp(s / 0.07), as DINO does it. Prints a line \
      for each k: the shares of images of --val whose class is first, and among the first five.

      Example: train knn --checkpoint run --train photos/train --val photos/val
      """)

  @OptionGroup var images: LabelledFeatureOptions

  @OptionGroup var data: ImageReadingOptions

  @Option(name: .customLong("k"), help: ArgumentHelp("Numbers of neighbours (default: 10,20,100,200).", valueName: "n,…"))
  var neighbours = "10,20,100,200"

  @OptionGroup var threads: ThreadOptions

  /// The numbers of neighbours, or nil where they are none.
  private var numbers: [Int]? {
    let words = neighbours.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    let numbers = words.compactMap { $0 }
    return numbers.count == words.count && numbers.allSatisfy { (1...1_000_000).contains($0) } ? numbers : nil
  }

  func validate() throws {
    if numbers == nil { throw ValidationError("--k takes numbers from 1 on, such as 10,20,100,200") }
  }

  func run() throws {
    let (train, val, classes) = try images.tables(data.options, threads: threads)
    let numbers = numbers ?? NeighbourAccuracy.usual
    if let k = numbers.first(where: { $0 > train.count }) {
      Console.warn("--k \(k) asks for more neighbours than the \(train.count) images of --train: all of them vote")
    }
    let accuracy = try NeighbourAccuracy(
      of: val, in: train, classes: classes.count, neighbours: numbers, threads: threads.count)
    Console.print("\(val.count) images by \(train.count), \(classes.count) classes")
    for row in accuracy.rows {
      Console.print(
        "k \(Format.left("\(row.neighbours)", width: 5)) top-1 \(Format.fixed(100 * row.top1, decimals: 2)) %   "
          + "top-5 \(Format.fixed(100 * row.top5, decimals: 2)) %")
    }
  }
}
