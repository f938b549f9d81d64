import WaMIMGraph
import WaMIMRecipe

extension Language {
  /// The tables of functions, members and settings, in Markdown, as `docs/language.md` holds them.
  package static let reference: String = [
    section("Layers and helpers", BuiltIn.layers.map(row)),
    section("Members", Member.all.map { ("`\($0.name)` of \($0.owner.description)", $0.summary) }),
    section(
      "Settings of `train` and `evaluate`",
      Setting.all.map { setting in
        let block = setting.clause.block == .train ? "" : setting.clause.block.rawValue + ", "
        return row(setting.signature, label: block + setting.clause.label)
      }),
    section("Hyperparameters and their options", Hyperparameters.all.map(row)),
    section("Pictures", BuiltIn.pictures.map(row)),
    section("Primitive operations", BuiltIn.operations.map(row)),
  ].joined(separator: "\n\n")

  private static func section(_ title: String, _ rows: [(String, String)]) -> String {
    (["### \(title)", "", "| | |", "| --- | --- |"] + rows.map { "| \($0) | \($1) |" }).joined(separator: "\n")
  }

  private static func row(_ function: BuiltIn) -> (String, String) {
    let parameters = function.parameters.map { parameter in
      parameter.label + (parameter.fallback.map { ": \(written($0))" } ?? "") + (parameter.kind == .variadic ? "…" : "")
    }
    let words = function.parameters.filter { !$0.kind.words.isEmpty && $0.kind != .optionalInterval }
      .map { " `\($0.label)`: \($0.kind.words.joined(separator: ", "))." }
    return ("`\(function.name)(\(parameters.joined(separator: ", ")))`", function.summary + words.joined())
  }

  private static func row(_ hyperparameter: any AnyHyperparameter) -> (String, String) {
    let fixed = hyperparameter.isFixed ? " A resumed run keeps it." : ""
    return (
      hyperparameter.isCompiled ? "`\(hyperparameter.name)`, no option" : "`\(hyperparameter.option)`",
      "\(hyperparameter.help): \(hyperparameter.allowedText). Default: \(hyperparameter.anyDefault.text).\(fixed)"
    )
  }

  private static func row(_ setting: BuiltIn, label: String) -> (String, String) {
    let (call, summary) = row(setting)
    return ("\(label): \(call)", summary)
  }

  private static func written(_ fallback: Parameter.Default) -> String {
    switch fallback {
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .flag(let value): "\(value)"
    case .text(let value): "\"\(value)\""
    case .symbol(let word): word
    case .interval(let lower, let upper): "\(lower)..\(upper)"
    case .numbers(let values): "\(values)"
    case .texts(let values): "\(values)"
    }
  }
}
