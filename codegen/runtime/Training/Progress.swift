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

  /// Seconds between two reports when `elapsed` seconds of the run are over: often enough to watch, and no flood in a log of days.
  private func interval(elapsed: Double) -> Double {
    isTerminal ? 0.1 : max(1, min(60, elapsed / 60))
  }

  /// Takes note of a step that took `seconds`, of which `waited` went by waiting for images, and reports it if it is time to.
  package mutating func report(step: Int, loss: Float, seconds: Double, waited: Double) {
    // A running mean over about ten steps.
    recentSeconds = recentSeconds.map { 0.9 * $0 + 0.1 * seconds } ?? seconds
    self.waited += waited
    let now = Clock.seconds
    guard step == totalSteps || now - lastReport >= interval(elapsed: now - start) else { return }
    lastReport = now
    let text = line(step: step, loss: loss, elapsed: now - start)
    // A line that is longer than the terminal is wide could not be rewritten.
    Console.write(isTerminal ? "\r\u{1B}[K\(text.prefix(Console.terminalWidth.map { $0 - 1 } ?? text.count))" : "\(text)\n")
  }

  private func line(step: Int, loss: Float, elapsed: Double) -> String {
    let remaining = Double(totalSteps - step) * elapsed / Double(max(1, step - firstStep))
    let share = 100 * waited / max(elapsed, 1e-9)
    let isWhole = totalSteps.isMultiple(of: stepsPerEpoch)
    let epochs = Format.fixed(Double(totalSteps) / Double(stepsPerEpoch), decimals: isWhole ? 0 : 2)
    return "epoch \(Format.fixed(Double(step) / Double(stepsPerEpoch), decimals: 2))/\(epochs)"
      + "  step \(step)/\(totalSteps)  loss \(Format.fixed(Double(loss), decimals: 4))"
      + "  \(Format.fixed(imagesPerSecond, decimals: 1)) images/s  \(Format.duration(remaining)) left"
      + (Machine.residentBytes.map { "  \(Format.bytes($0))" } ?? "")
      + "  waiting for data \(Format.fixed(share, decimals: 1)) %"
  }

  /// Ends the line that is being rewritten, so that others can follow it.
  package func finish() {
    if isTerminal { Console.write("\n") }
  }
}
