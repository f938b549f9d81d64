import ArgumentParser
import WaMIMManifest
import WaMIMTypes

/// The options of a command line that the table of hyperparameters has: `--base-lr 1e-3`, `--horizontal-flip`, …
struct HyperparameterOptions {
  /// What was said, by the hyperparameter's name.
  private(set) var values: [String: HyperparameterValue] = [:]

  /// Reads `words`, those of a command line that no other option takes.
  ///
  /// - Parameter others: The other options of the command, to find what a misspelt one was to be.
  /// - Throws: `ValidationError` at a word that is no option, and at a value that is not allowed.
  init(words: [String], others: [String]) throws {
    var rest = words[...]
    while let word = rest.popFirst() {
      guard word.hasPrefix("--") else { throw ValidationError("Unexpected argument '\(word)'") }
      let sides = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      if let (hyperparameter, flag) = HyperparameterOptions.flag(sides[0]), sides.count == 1 {
        values[hyperparameter.name] = .flag(flag)
        continue
      }
      guard let hyperparameter = HyperparameterOptions.offered.first(where: { $0.option == sides[0] }) else {
        throw HyperparameterOptions.unknown(sides[0], others: others)
      }
      guard let text = sides.count > 1 ? sides[1] : rest.popFirst() else {
        throw ValidationError("Missing value for '\(hyperparameter.option) <\(hyperparameter.valueName)>'")
      }
      guard let value = hyperparameter.value(of: text) else {
        throw ValidationError("The value '\(text)' is invalid for '\(hyperparameter.option) <\(hyperparameter.valueName)>'")
      }
      guard hyperparameter.allows(value) else {
        throw ValidationError("\(hyperparameter.option) has to be \(hyperparameter.allowedText), not '\(text)'")
      }
      values[hyperparameter.name] = value
    }
  }

  /// What the executable's program has a use for.
  private static var offered: [any AnyHyperparameter] {
    (try? Trainer.program().manifest.meaningfulHyperparameters) ?? Hyperparameters.all
  }

  /// The flag that an option turns on or off, or nil where it is no flag.
  private static func flag(_ option: String) -> (any AnyHyperparameter, Bool)? {
    for hyperparameter in offered {
      guard case .flag = hyperparameter.anyDefault else { continue }
      if option == hyperparameter.option { return (hyperparameter, true) }
      if option == hyperparameter.negatedOption { return (hyperparameter, false) }
    }
    return nil
  }

  private static func unknown(_ option: String, others: [String]) -> ValidationError {
    let known = others + offered.map(\.option)
    let suggestion = Spelling.nearest(to: option, among: known).map { ". Did you mean '\($0)'?" } ?? ""
    return ValidationError("Unknown option '\(option)'\(suggestion)")
  }

  /// The options as a command's help lists them, with the defaults of `recipe`; lines are short enough to be left as they are.
  static func help(_ recipe: Recipe) -> String {
    offered.map { hyperparameter in
      let isFlag = if case .flag = hyperparameter.anyDefault { true } else { false }
      let option = hyperparameter.option + (isFlag ? "/\(hyperparameter.negatedOption)" : " <\(hyperparameter.valueName)>")
      let lines = wrapped(hyperparameter.help + ".", columns: 72).map { "      " + $0 }
      return (["  \(option) (default: \(recipe[hyperparameter].text))"] + lines).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  /// The words of `text` in lines of at most `columns` characters, where no word is longer.
  private static func wrapped(_ text: String, columns: Int) -> [String] {
    text.split(separator: " ").reduce(into: [String]()) { lines, word in
      if let last = lines.last, last.count + 1 + word.count <= columns {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
  }
}

extension AnyHyperparameter {
  /// The option that turns a flag off, such as `--no-horizontal-flip`.
  fileprivate var negatedOption: String { "--no-" + optionName }
}

extension Recipe {
  /// The recipe with what a checkpoint records under the names of options; values that it cannot have are left alone.
  func replaced(by recorded: [String: String]) -> Recipe {
    var recipe = self
    for hyperparameter in Hyperparameters.all {
      guard let value = recorded[hyperparameter.optionName].flatMap(hyperparameter.value(of:)), hyperparameter.allows(value) else {
        continue
      }
      recipe[hyperparameter] = value
    }
    return recipe
  }

  /// The recipe with what a command line says; a hyperparameter that is fixed keeps what `previous`, a resumed run's, has.
  ///
  /// - Parameter channels: Those of the model's images.
  func replaced(
    by options: HyperparameterOptions, resuming previous: [String: String], channels: Int
  ) throws(TrainerError) -> Recipe {
    var recipe = self
    for (name, value) in options.values {
      guard let hyperparameter = Hyperparameters.byName[name] else { continue }
      if hyperparameter.isOfChannels, case .numbers(let numbers) = value, numbers.count != channels {
        throw TrainerError("\(hyperparameter.option) needs a number for each of the \(channels) channels, and has \(numbers.count)")
      }
      if hyperparameter.isFixed, previous[hyperparameter.optionName] != nil, recipe[hyperparameter] != value {
        throw TrainerError(
          "the run to continue has \(hyperparameter.option) \(recipe[hyperparameter].text), not \(value.text); "
            + "leave \(hyperparameter.option) out")
      }
      recipe[hyperparameter] = value
    }
    return recipe
  }

  /// Every value under the name of its option, as checkpoints and `run.json` record it.
  var recorded: [String: String] {
    Dictionary(uniqueKeysWithValues: Hyperparameters.all.map { ($0.optionName, self[$0].text) })
  }
}
