/// How a model is trained where a run says nothing else: a value for every hyperparameter.
///
/// Each line of the table of hyperparameters is a property: `recipe.baseLearningRate = 1e-3`.
@dynamicMemberLookup
public struct Recipe: Hashable, Sendable {
  /// The values that differ from the table's defaults, by name.
  private var values: [String: HyperparameterValue] = [:]
  /// The settings that are chosen in clauses of one, by the clause, where they are not the first.
  private var choices: [Setting.Clause: String] = [:]

  /// The recipe of the defaults.
  public init() {}

  /// The recipe that `change` makes of the defaults.
  public init(_ change: (inout Recipe) -> Void) {
    change(&self)
  }

  public subscript<Value>(dynamicMember path: KeyPath<Hyperparameters, Hyperparameter<Value>>) -> Value {
    get {
      let hyperparameter = Hyperparameters.table[keyPath: path]
      return values[hyperparameter.name].flatMap { Value($0) } ?? hyperparameter.defaultValue
    }
    set { self[Hyperparameters.table[keyPath: path] as any AnyHyperparameter] = newValue.hyperparameterValue }
  }

  /// The value of a hyperparameter whatever its type; one of another type is not taken.
  public subscript(_ hyperparameter: any AnyHyperparameter) -> HyperparameterValue {
    get { values[hyperparameter.name] ?? hyperparameter.anyDefault }
    set { values[hyperparameter.name] = newValue == hyperparameter.anyDefault ? nil : newValue }
  }

  /// The setting that is chosen in a clause of one, such as the optimiser; a name that the clause does not know is not taken.
  public subscript(choice clause: Setting.Clause) -> String {
    get { choices[clause] ?? Setting.all(in: clause).first?.name ?? "" }
    set {
      guard !clause.isList, Setting.named(newValue, in: clause) != nil else { return }
      choices[clause] = newValue == Setting.all(in: clause).first?.name ? nil : newValue
    }
  }

  /// The optimiser's name.
  public var optimizer: String { self[choice: .optimizer] }

  /// Whether products read bf16.
  public var isMixedPrecision: Bool { self[choice: .precision] == "bf16" }

  /// The hyperparameters that mean something to programs of the recipe: those of settings that others were chosen over are left out, and
  /// the layer decay where all layers have one rate, the limit of gradients where there is none, and what is about classes where models take
  /// no labels.
  public func meaningful(takesLabels: Bool) -> [any AnyHyperparameter] {
    let idle = Setting.all.filter { setting in
      !setting.clause.isList && self[choice: setting.clause] != setting.name || setting.needsLabels && !takesLabels
    }.map(\.key)
    // Programs do not compute what would change nothing.
    let missing = (self.layerDecay == 1 ? ["layer_decay"] : []) + (self.clip == 0 ? ["clip"] : [])
    return Hyperparameters.all.filter { hyperparameter in
      !hyperparameter.settings.allSatisfy(idle.contains) && !hyperparameter.isCompiled && !missing.contains(hyperparameter.name)
    }
  }

  /// What of `values`, by name, is not allowed, in words; empty where a run can be made by the recipe.
  public var problems: [String] {
    Hyperparameters.all.filter { !$0.allows(self[$0]) }.map { "'\($0.name)' has to be \($0.allowedText), but is \(self[$0].text)" }
      + (inconsistency.map { [$0] } ?? [])
  }

  /// What of the values does not go together, in words, or nil.
  public var inconsistency: String? {
    self.mean.count == self.standardDeviation.count ? nil : "'mean' and 'std' need one number for each channel, both as many"
  }
}

extension Recipe: Codable {
  public init(from decoder: any Decoder) throws {
    let texts = try decoder.singleValueContainer().decode([String: String].self)
    for (name, text) in texts {
      if let clause = Setting.Clause(rawValue: name) {
        self[choice: clause] = text
        continue
      }
      guard let hyperparameter = Hyperparameters.byName[name], let value = hyperparameter.value(of: text) else {
        throw DecodingError.dataCorrupted(
          .init(codingPath: decoder.codingPath, debugDescription: "'\(name)' is no hyperparameter, or '\(text)' no value of it"))
      }
      self[hyperparameter] = value
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    let chosen = Setting.Clause.allCases.filter { !$0.isList }.map { ($0.rawValue, self[choice: $0]) }
    try container.encode(Dictionary(uniqueKeysWithValues: Hyperparameters.all.map { ($0.name, self[$0].text) } + chosen))
  }
}
