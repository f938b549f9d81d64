import ArgumentParser
import CProgram
import Glibc

/// The command line of a generated executable.
struct Trainer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Trains the model that this executable was compiled for.",
    discussion: """
      Without a subcommand, `fit` is meant. All shapes, the batch among them, were fixed when wamimc made this executable; \
      `info` shows them.
      """,
    subcommands: [
      FitCommand.self, EvaluateCommand.self, PredictCommand.self, GradCommand.self, BenchCommand.self, ReconstructCommand.self,
      FeaturesCommand.self, NeighboursCommand.self, ProbeCommand.self, ExportCommand.self, InfoCommand.self,
    ],
    defaultSubcommand: FitCommand.self)

  /// Parses `words`, the executable's name and its arguments, runs the command that they name, and returns the exit code.
  static func run(program: UnsafePointer<wamim_program>, words: [String]) -> Int32 {
    $current.withValue(GeneratedProgram(pointer: program, words: words)) { run(words) }
  }

  private static func run(_ words: [String]) -> Int32 {
    // A file that may grow no further and a pipe that nobody reads become errors of the call that writes.
    signal(SIGXFSZ, SIG_IGN)
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot(Array(words.dropFirst()))
      try command.run()
      return 0
    } catch let error as TrainerError {
      if error != .toldElsewhere { Console.fail(error.message) }
      return 1
    } catch {
      let message = fullMessage(for: error)
      let code = exitCode(for: error)
      Console.write(message + "\n", to: code.isSuccess ? 1 : 2)
      return code.rawValue
    }
  }

  /// What the executable is about, set before the command line is parsed.
  @TaskLocal private static var current: GeneratedProgram?

  private struct GeneratedProgram: @unchecked Sendable {
    var pointer: UnsafePointer<wamim_program>
    var words: [String]
  }

  /// The program of this executable, checked.
  static func program() throws(TrainerError) -> Program {
    guard let program = current else { throw TrainerError("this executable holds no program") }
    return try Program(program.pointer)
  }

  /// The executable, as it was called.
  static var executable: String { words.first ?? "train" }

  /// The whole command line.
  static var words: [String] { current?.words ?? [] }
}
