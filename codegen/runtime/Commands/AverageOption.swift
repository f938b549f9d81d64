import ArgumentParser

/// Whether a command takes the parameters of a run, or their running means.
struct AverageOption: ParsableArguments {
  @Flag(name: .customLong("ema"), help: "Take the running means of the parameters, which a run with --ema keeps.")
  var isAveraged = false
}
