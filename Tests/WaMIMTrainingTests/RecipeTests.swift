import Foundation
import Testing
import WaMIMTraining

/// The table of hyperparameters, and the recipes that are made by it.
struct RecipeTests {
  /// Another value than the default for each kind of hyperparameter.
  private static func other(than hyperparameter: any AnyHyperparameter) -> HyperparameterValue {
    switch hyperparameter.anyDefault {
    case .number(let value): .number(value / 2 + 0.25)
    case .integer(let value): .integer(value + 3)
    case .flag(let value): .flag(!value)
    case .numbers(let values):
      .numbers(hyperparameter.allows(.numbers(values.map { $0 / 2 })) ? values.map { $0 / 2 } : values + [7])
    case .texts(let values): .texts(values + ["token"])
    case .interval(let value): .interval(Interval(value.lower * 0.9, value.upper))
    case .none: .interval(Interval(0.5, 1))
    }
  }

  @Test func everyLineIsCompleteAndUnique() {
    let names = Hyperparameters.all.map(\.name)
    #expect(names.contains("base_lr") && names.contains("crop_area"), "the table is read by reflection")
    #expect(Set(names).count == names.count && Set(Hyperparameters.all.map(\.option)).count == names.count)
    for hyperparameter in Hyperparameters.all {
      #expect(hyperparameter.allows(hyperparameter.anyDefault), "\(hyperparameter.name)")
      #expect(!hyperparameter.help.isEmpty && !hyperparameter.allowedText.isEmpty, "\(hyperparameter.name)")
      #expect(Setting.all.contains { $0.key == hyperparameter.settings[0] }, "\(hyperparameter.name)")
      #expect(
        hyperparameter.label != nil || Setting.all.contains { $0.implied[hyperparameter.name] != nil }, "\(hyperparameter.name)")
    }
  }

  @Test func textGivesEachValueAgain() {
    for hyperparameter in Hyperparameters.all {
      for value in [hyperparameter.anyDefault, Self.other(than: hyperparameter)] {
        #expect(hyperparameter.value(of: value.text) == value, "\(hyperparameter.name) \(value)")
        #expect(hyperparameter.allows(value), "\(hyperparameter.name) \(value)")
      }
      let isText = if case .texts = hyperparameter.anyDefault { true } else { false }
      #expect(hyperparameter.value(of: "") == nil && (isText || hyperparameter.value(of: "x") == nil), "\(hyperparameter.name)")
    }
  }

  @Test func aRecipeSurvivesItsJSON() throws {
    var recipe = Recipe()
    for hyperparameter in Hyperparameters.all {
      recipe[hyperparameter] = Self.other(than: hyperparameter)
      let again = try JSONDecoder().decode(Recipe.self, from: JSONEncoder().encode(recipe))
      #expect(again == recipe, "\(hyperparameter.name)")
    }
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(Recipe.self, from: Data("{\"base_rl\":\"1\"}".utf8)) }
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(Recipe.self, from: Data("{\"base_lr\":\"one\"}".utf8)) }
  }

  @Test func ratesFallToATenthAtEachPlateau() throws {
    let plateau = try #require(ScheduleScalar.named("plateau"))
    let recipe = Recipe { $0.tenthAt = [3, 5] }
    let rates = [0, 2.9, 3, 4.9, 5, 9].map { progress in
      plateau.value(recipe, RunPosition(step: 1, progress: progress, imagesPerStep: 1, batchesPerStep: 1))
    }
    #expect(zip(rates, [1, 1, 0.1, 0.1, 0.01, 0.01]).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(Recipe { $0.tenthAt = [5, 3] }.problems.count == 1)
  }

  @Test func onlyProgramsThatComputeAnOptionOfferIt() {
    func offers(_ name: String, _ recipe: Recipe) -> Bool { recipe.meaningful(takesLabels: false).contains { $0.name == name } }
    #expect(!offers("clip", Recipe()) && offers("clip", Recipe { $0.clip = 5 }))
    #expect(!offers("spared", Recipe { $0.spared = Words(["token"]) }))
    #expect(!offers("tenth_at", Recipe()) && offers("tenth_at", Recipe { $0[choice: .schedule] = "plateaus" }))
  }

  @Test func aRecipeSaysWhatNoRunCanHave() {
    #expect(Recipe().problems.isEmpty)
    #expect(
      Recipe { $0.betas = [0.9] }.problems == ["'betas' has to be two numbers from 0 to below 1, such as 0.9,0.95, but is 0.9"])
    #expect(Recipe { $0.epochs = .nan }.problems.count == 1)
    #expect(Recipe { $0.mean = [0.5] }.problems.count == 1, "a mean without its standard deviation")
    #expect(Recipe { $0.cropArea = Interval(0.5, 2) }.problems.count == 1)
    #expect(Recipe { $0.cropArea = nil }.problems.isEmpty)
  }

  @Test func everyNumberIsKnownToPrograms() {
    for hyperparameter in Hyperparameters.all {
      guard case .number(let value) = hyperparameter.anyDefault else { continue }
      let position = RunPosition(step: 1, progress: 0, imagesPerStep: 256, batchesPerStep: 1)
      #expect(ScheduleScalar.byName[hyperparameter.name]?.value(Recipe(), position) == value, "\(hyperparameter.name)")
    }
  }

  @Test func derivedNumbersFollowTheirFormulas() throws {
    let recipe = Recipe {
      $0.betas = [0.8, 0.99]
      $0.baseLearningRate = 3e-4
    }
    let position = RunPosition(step: 7, progress: 1.5, imagesPerStep: 512, batchesPerStep: 4)
    let expected: [String: Double] = [
      "beta1": 0.8, "beta2": 0.99, "first_moment_correction": 1 / (1 - pow(0.8, 7)),
      "second_moment_correction": 1 / (1 - pow(0.99, 7)),
      "progress": 1.5, "peak_lr": 6e-4, "batch_share": 0.25,
    ]
    for (name, value) in expected { #expect(try #require(ScheduleScalar.byName[name]).value(recipe, position) == value, "\(name)") }
  }
}
