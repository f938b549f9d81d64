/// Tells how far a run is: one line that is rewritten on a terminal, a line now and then elsewhere.
package struct Progress {
  private let isTerminal: Bool
  private let totalSteps: Int
  private let stepsPerEpoch: Int
  private let batch: Int
  private let start: Double
  private let firstStep: Int
  private var lastReport = -Double.infinity
  private var recentSeconds: Double?
  private var waited = 0.0

  /// Seconds between two reports where no terminal rewrites them.
  private static let interval = 1.0

  package init(firstStep: Int, totalSteps: Int, stepsPerEpoch: Int, batch: Int) {
    isTerminal = Console.isTerminal
    self.firstStep = firstStep
    self.totalSteps = totalSteps
    self.stepsPerEpoch = stepsPerEpoch
    self.batch = batch
    start = Clock.seconds
  }

  /// Images a second over the last few steps.
  package var imagesPerSecond: Double {
    guard let recentSeconds, recentSeconds > 0 else { return 0 }
    return Double(batch) / recentSeconds
  }

  /// Takes note of a step that took `seconds`, of which `waited` went by waiting for images, and reports it if it is time to.
  package mutating func report(step: Int, loss: Float, seconds: Double, waited: Double) {
    // A running mean over about ten steps.
    recentSeconds = recentSeconds.map { 0.9 * $0 + 0.1 * seconds } ?? seconds
    self.waited += waited
    let now = Clock.seconds
    let isLast = step == totalSteps
    guard isLast || now - lastReport >= (isTerminal ? 0.1 : Self.interval) else { return }
    lastReport = now
    let remaining = Double(totalSteps - step) * (now - start) / Double(max(1, step - firstStep))
    let share = 100 * self.waited / max(now - start, 1e-9)
    let isWhole = totalSteps.isMultiple(of: stepsPerEpoch)
    let epochs = Format.fixed(Double(totalSteps) / Double(stepsPerEpoch), decimals: isWhole ? 0 : 2)
    let text =
      "epoch \(Format.fixed(Double(step) / Double(stepsPerEpoch), decimals: 2))/\(epochs)"
      + "  step \(step)/\(totalSteps)  loss \(Format.fixed(Double(loss), decimals: 4))"
      + "  \(Format.fixed(imagesPerSecond, decimals: 1)) images/s  \(Format.duration(remaining)) left"
      + "  waiting for data \(Format.fixed(share, decimals: 1)) %"
    Console.write(isTerminal ? "\r\u{1B}[K\(text)" : "\(text)\n")
  }

  /// Ends the line that is being rewritten, so that others can follow it.
  package func finish() {
    if isTerminal { Console.write("\n") }
  }
}
