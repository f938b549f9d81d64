import TestSupport
import WaMIMGraph
import WaMIMLayers
import WaMIMTraining

/// A graph of random operations that fit together, with every kind of operation, attribute and statement in it.
struct RandomGraph {
  private var generator: SeededGenerator
  private var graph: Graph

  static func make(seed: UInt64) -> Model {
    var random = RandomGraph(seed: seed)
    for _ in 0..<random.number(20...80) { random.grow() }
    random.finish()
    return random.model
  }

  private init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
    graph = Graph(name: "")
    graph.name = number(0...1) == 0 ? "model_\(seed)" : text()
  }

  // MARK: Choices

  private mutating func number(_ range: ClosedRange<Int>) -> Int {
    Int.random(in: range, using: &generator)
  }

  private mutating func flag() -> Bool {
    Bool.random(using: &generator)
  }

  /// Any finite float32 number, by its bits.
  private mutating func float() -> Float {
    let value = Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
    return value.isNaN ? .infinity : value
  }

  private mutating func double() -> Double {
    let value = Double(bitPattern: generator.next())
    return value.isFinite ? value.magnitude + .leastNonzeroMagnitude : 0.1
  }

  private mutating func text() -> String {
    let letters: [Character] = [
      "a", "Z", "0", ".", "_", " ", "\"", "\\", "\n", "\t", "\u{7}", "é", "漢", "👩‍🔬", "\u{2028}", "let", "/",
    ].flatMap { Array($0) }
    return String((0..<number(1...12)).map { _ in letters[number(0...letters.count - 1)] })
  }

  private mutating func shape() -> Shape {
    Shape((0..<number(0...4)).map { _ in number(1...4) * 2 })
  }

  /// A value so far whose type `belongs`, or nil.
  private mutating func value(where belongs: (TensorType) -> Bool) -> ValueID? {
    graph.values.filter { belongs(graph[$0].type) }.randomElement(using: &generator)
  }

  private mutating func add(_ operation: Operation, _ operands: [ValueID?] = []) {
    let known = operands.compactMap { $0 }
    guard known.count == operands.count, let type = try? operation.resultType(of: known.map { graph[$0].type }) else { return }
    let scope = flag() ? "" : flag() ? "blocks.\(number(0...11)).attn" : text()
    _ = graph.append(Node(operation, known, type: type, scope: scope, region: Region.allCases[number(0...2)]))
  }

  // MARK: Operations

  private mutating func grow() {
    switch number(0...10) {
    case 0, 1: addSource()
    case 2: addElementwise()
    case 3, 4: addMovement()
    case 5: addReduction()
    case 6: addMatmul()
    case 7: addAttention()
    case 8: addIndexed()
    case 9:
      let bands = value { $0.element == .float32 && $0.shape.rank == 5 }
      add(.waveletAdjoint(Wavelet.allCases[number(0...Wavelet.allCases.count - 1)]), [bands])
    default:
      let images = value { $0.element == .float32 && $0.shape.rank == 4 }
      add(.waveletAnalysis(Wavelet.allCases[number(0...Wavelet.allCases.count - 1)]), [images])
    }
  }

  private mutating func addSource() {
    let name = "\(text()).\(graph.nodes.count)"
    switch number(0...5) {
    case 0:
      let scalars = ScheduleScalar.all.map(\.name)
      let bindings: [Binding] = [.data(text()), .random, .hyperparameter(scalars[number(0...scalars.count - 1)])]
      add(.input(name: name, type: TensorType(flag() ? .float32 : .int32, shape()), binding: bindings[number(0...2)]))
    case 1:
      let initializers: [Initializer] = [
        .constant(float()), .normal(standardDeviation: float()), .xavierUniform(fanIn: number(1...99), fanOut: number(1...99)),
      ]
      let decays = ParameterGroup.Decay.allCases
      let group = ParameterGroup(
        rateScale: flag() ? 1 : float(), decay: decays[number(0...decays.count - 1)], isFrozen: flag())
      add(.parameter(name: name, shape: shape(), initializer: initializers[number(0...2)], group: group))
    case 2: add(.state(name: name, shape: shape(), role: flag() ? .average(of: text()) : .moment(order: number(1...2), of: text())))
    case 3: add(.accumulator(name: name, shape: shape()))
    case 4: add(.constant(value: float(), shape: shape()))
    default: add(.positionTable(width: 4 * number(1...3), grid: number(1...4), classToken: flag()))
    }
  }

  private mutating func addElementwise() {
    let x = value { $0.element == .float32 }
    switch number(0...3) {
    case 0: add(.unary(UnaryFunction.allCases[number(0...UnaryFunction.allCases.count - 1)]), [x])
    case 1:
      let type = x.map { graph[$0].type }
      let y = value { $0 == type }
      add(.binary(BinaryFunction.allCases[number(0...BinaryFunction.allCases.count - 1)]), [x, y])
    case 2: add(.detach, [x])
    default: add(.convert(to: .float32), [value { $0.element == .int32 }])
    }
  }

  private mutating func addMovement() {
    guard let x = value(where: { _ in true }) else { return }
    let shape = graph[x].type.shape
    let axis = number(0...max(0, shape.rank - 1))
    switch number(0...5) {
    case 0: add(.broadcast(shape: Shape([number(1...3)] + shape.dimensions)), [x])
    case 1: add(.reshape(shape: flag() ? shape : [shape.count]), [x])
    case 2: add(.transpose(permutation: Array(0..<shape.rank).shuffled(using: &generator)), [x])
    case 3: add(.slice(axis: axis, start: number(0...2), count: number(1...3), step: number(1...3)), [x])
    case 4: add(.pad(axis: axis, start: number(0...2), extent: number(8...20), step: number(1...3)), [x])
    default:
      let type = graph[x].type
      add(.concatenate(axis: axis), [x] + (0..<number(0...2)).map { _ in value { $0 == type } })
    }
  }

  private mutating func addReduction() {
    guard let x = value(where: { $0.element == .float32 }) else { return }
    let axes = (0..<graph[x].type.shape.rank).filter { _ in flag() }
    add(.reduce(flag() ? .sum : .maximum, axes: axes), [x])
  }

  private mutating func addMatmul() {
    guard let x = value(where: { $0.element == .float32 && $0.shape.rank >= 2 }) else { return }
    let type = graph[x].type
    let (left, right) = (flag(), flag())
    let y = value { $0 == type || ($0.element == .float32 && $0.shape.rank == 2) }
    add(.matmul(transposeLeft: left, transposeRight: right), [x, y])
  }

  private mutating func addAttention() {
    guard let x = value(where: { $0.element == .float32 && $0.shape.rank == 3 }) else { return }
    if flag() {
      add(.attention(heads: number(1...2)), [x, x, x])
    } else {
      let operand = AttentionOperand.allCases[number(0...2)]
      add(.attentionGradient(heads: number(1...2), operand: operand), [x, x, x, x])
    }
  }

  private mutating func addIndexed() {
    switch number(0...4) {
    case 4: addGroups()
    case 0: add(.rank, [value { $0.element == .float32 && $0.shape.rank >= 1 }])
    case 1: add(.invertPermutation, [value { $0.element == .int32 && $0.shape.rank >= 1 }])
    default:
      guard let rows = value(where: { $0.element == .float32 && $0.shape.rank == 3 }) else { return }
      let batch = graph[rows].type.shape[0]
      let indices = value { $0.element == .int32 && $0.shape.rank == 2 && $0.shape[0] == batch }
      add(flag() ? .gather : .scatterAdd(rows: number(1...9)), [rows, indices])
    }
  }

  /// Groups of places, and attention within groups where tokens for them are there.
  private mutating func addGroups() {
    let places = value { $0.element == .int32 && $0.shape.rank == 2 }
    if flag() { return add(.finerIndices(grid: number(1...4), side: 1 << number(0...2)), [places]) }
    let (window, heads, batch, tokens) = (number(1...3), number(1...2), number(1...2), number(1...9))
    let cut = WindowCut(grid: number(3...6), window: window, shift: number(0...window - 1))
    let place = added(.input(name: "places.\(graph.nodes.count)", type: TensorType(.int32, [batch, tokens]), binding: .random))
    let groups = added(.windowGroups(cut), [place])
    let shape: Shape = [(2 * window - 1) * (2 * window - 1), heads]
    let biases = added(.constant(value: 1, shape: shape))
    let x = added(.constant(value: 2, shape: [batch, tokens, 4]))
    add(.groupAttention(heads: heads), [x, x, x, biases, groups])
    let operand = AttentionOperand.allCases[number(0...3)]
    add(.groupAttentionGradient(heads: heads, operand: operand), [x, x, x, biases, groups, x])
  }

  /// Adds an operation that always fits, and gives its value.
  private mutating func added(_ operation: Operation, _ operands: [ValueID?] = []) -> ValueID? {
    let count = graph.nodes.count
    add(operation, operands)
    return graph.nodes.count > count ? ValueID(count) : nil
  }

  // MARK: Results

  private mutating func finish() {
    var names: Set<String> = []
    let scalar = value { $0 == TensorType(.float32, []) }
    graph.loss = scalar
    for _ in 0..<number(0...5) {
      let name = flag() ? "loss" : text()
      guard let output = name == "loss" && flag() ? scalar : value(where: { _ in true }), names.insert(name).inserted else {
        continue
      }
      graph.outputs.append(.init(name: name, value: output))
    }
    for state in graph.values {
      switch graph[state].operation {
      case .state, .parameter, .accumulator: break
      default: continue
      }
      let type = graph[state].type
      if let value = value(where: { $0 == type }) { graph.updates.append(.init(state: state, value: value)) }
    }
  }

  /// The graph with a recipe and pictures.
  private var model: Model {
    mutating get {
      let pictures: [Pictures?] = [
        nil, .patches(patch: number(1...16), normalized: flag()),
        .cells(patches: [number(1...16), number(1...16)], normalized: flag()),
        .wavelet(
          wavelet: Wavelet.allCases[number(0...Wavelet.allCases.count - 1)], levels: [1, number(2...5)],
          subbands: flag() ? "all" : "detail", normalization: "token"),
      ]
      return Model(graph, recipe: recipe(), pictures: pictures[number(0...3)])
    }
  }

  private mutating func recipe() -> Recipe {
    var recipe = Recipe()
    recipe.baseLearningRate = double()
    recipe.betas = [Double.random(in: 0..<0.9, using: &generator), Double.random(in: 0..<0.9, using: &generator)]
    recipe.epsilon = Double.random(in: 1e-12...1, using: &generator)
    recipe.weightDecay = double()
    recipe.epochs = Double.random(in: 1e-3...1e6, using: &generator)
    recipe.warmupEpochs = double()
    if flag() {
      recipe[choice: .schedule] = "plateaus"
      recipe.tenthAt = flag() ? [] : [Double(number(1...9)), Double(number(10...20))]
    } else {
      recipe.minimumLearningRate = double()
    }
    recipe.clip = flag() ? 0 : double()
    recipe.spared = Words(flag() ? [] : ["token", "bias"])
    recipe.batchAccumulation = number(1...64)
    let area = [Double.random(in: 0.01...1, using: &generator), Double.random(in: 0.01...1, using: &generator)].sorted()
    recipe.cropArea = flag() ? nil : Interval(area[0], area[1])
    let aspect = [double(), double()].sorted()
    recipe.cropAspect = Interval(aspect[0], aspect[1])
    recipe.cropBilinear = recipe.cropArea != nil && flag()
    recipe.horizontalFlip = flag()
    recipe.verticalFlip = flag()
    recipe.mixup = flag() ? 0 : double()
    if flag() {
      recipe.randAugment = Double.random(in: 0.1...10, using: &generator)
      recipe.randAugmentOperations = number(1...4)
    }
    recipe.jitterHue = flag() ? 0 : Double.random(in: 0...0.5, using: &generator)
    recipe.mean = (0..<3).map { _ in -double() }
    recipe.standardDeviation = (0..<3).map { _ in double() }
    return recipe
  }
}
