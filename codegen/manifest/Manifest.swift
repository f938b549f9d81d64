// Programs speak of tensors as graphs do, and of training as recipes do.
@_exported import WaMIMRecipe
@_exported import WaMIMTypes

/// What a generated trainer knows about itself: the JSON that the compiler writes into it and the runtime reads.
public struct Manifest: Codable, Sendable {
  /// The model's name, as its source declares it.
  public var model: String
  /// The compiler's version.
  public var compiler: String
  /// The processor that the code was generated for.
  public var processor: Processor
  /// Whether matrix products come from a BLAS, whose sums may depend on how many rows a call has.
  public var callsBLAS: Bool
  /// Samples in one batch.
  public var batch: Int
  /// Samples that a schedule takes at a time: a whole batch, or a micro-batch.
  public var microBatch: Int
  /// Whether the schedules that evaluate compute something else than those that train do on the way to the loss.
  public var evaluatesOtherwise: Bool
  /// Parameters and the optimiser's moments: what a checkpoint holds, in the graph's order.
  public var states: [State]
  /// Where the gradient for each parameter adds up, as `grad.NAME`; offsets count from the start of a memory of their own.
  public var accumulators: [Tensor]
  /// What the runtime fills in before a schedule runs.
  public var inputs: [Input]
  /// The schedules of the program, in the order of `wamim_program.schedules`.
  public var schedules: [Schedule]
  /// What the entries of `wamim_call.description` stand for.
  public var calls: [Call]
  /// Products that `bench` holds against a library's.
  public var products: [Product]
  /// What the numbers of the calls' origins stand for.
  public var origins: OriginTables
  /// How many heads each layer with attention has, by the layer's path, such as `blocks.0.attn`.
  public var attentionHeads: [String: Int]
  /// The tables of positions that the program has from the start.
  public var positionTables: [PositionTable]
  /// What a run does where it is told nothing else.
  public var recipe: Recipe
  /// How predictions become pictures, or nil where the model has no such meaning.
  public var pictures: Pictures?
  /// The expanded graph, as text that compiles to this program again.
  public var graph: String

  public init(
    model: String, compiler: String, processor: Processor, callsBLAS: Bool, batch: Int, microBatch: Int,
    evaluatesOtherwise: Bool = false, states: [State],
    accumulators: [Tensor], inputs: [Input], schedules: [Schedule], calls: [Call], products: [Product] = [],
    origins: OriginTables = OriginTables(),
    attentionHeads: [String: Int], positionTables: [PositionTable], recipe: Recipe, pictures: Pictures?, graph: String
  ) {
    self.model = model
    self.compiler = compiler
    self.processor = processor
    self.callsBLAS = callsBLAS
    self.batch = batch
    self.microBatch = microBatch
    self.evaluatesOtherwise = evaluatesOtherwise
    self.states = states
    self.accumulators = accumulators
    self.inputs = inputs
    self.schedules = schedules
    self.calls = calls
    self.products = products
    self.origins = origins
    self.attentionHeads = attentionHeads
    self.positionTables = positionTables
    self.recipe = recipe
    self.pictures = pictures
    self.graph = graph
  }
}

extension Manifest {
  /// The hyperparameters that mean something to the program.
  public var meaningfulHyperparameters: [any AnyHyperparameter] {
    recipe.meaningful(takesLabels: inputs.contains { $0.binding == .labels })
  }
}

extension Manifest {
  /// The processor that code was generated for.
  public struct Processor: Codable, Sendable {
    /// What code runs on.
    public enum Kind: String, Codable, Sendable {
      case cpu, gpu
    }

    /// LLVM's name of the processor, such as `znver3`; of a GPU the architecture by NVIDIA's name, such as `sm_80`.
    public var name: String
    /// The instruction set extensions that the code uses, by LLVM's names, such as `avx2`.
    public var features: [String]
    public var kind: Kind

    public init(name: String, features: [String], kind: Kind = .cpu) {
      self.name = name
      self.features = features
      self.kind = kind
    }

    public init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      name = try values.decode(String.self, forKey: .name)
      features = try values.decode([String].self, forKey: .features)
      kind = try values.decodeIfPresent(Kind.self, forKey: .kind) ?? .cpu
    }
  }

  /// A tensor somewhere in the arena, in row-major order.
  public struct Tensor: Codable, Sendable {
    public var name: String
    public var type: ElementType
    public var shape: [Int]
    /// Bytes from the start of the arena.
    public var offset: Int

    public init(name: String, type: ElementType, shape: [Int], offset: Int) {
      self.name = name
      self.type = type
      self.shape = shape
      self.offset = offset
    }

    /// How many elements the tensor has.
    public var count: Int { shape.reduce(1, *) }

    /// Bytes that the tensor takes.
    public var byteCount: Int { count * type.byteCount }
  }

  /// What matmuls and attention read: bf16 where parameters are kept in it as well.
  public var precision: ElementType { states.contains { $0.role.isRounded } ? .bfloat16 : .float32 }

  /// A tensor that one step leaves for the next.
  public struct State: Codable, Sendable {
    public var tensor: Tensor
    public var role: StateRole
    /// How it is filled before the first step.
    public var initializer: Initializer

    public init(tensor: Tensor, role: StateRole, initializer: Initializer) {
      self.tensor = tensor
      self.role = role
      self.initializer = initializer
    }
  }

  /// A tensor that the runtime writes before each run of a schedule.
  public struct Input: Codable, Sendable {
    public var tensor: Tensor
    public var binding: Binding

    public init(tensor: Tensor, binding: Binding) {
      self.tensor = tensor
      self.binding = binding
    }
  }

  /// A fixed sine–cosine table of positions, [grid², width], led by a zero row where there is a class token.
  public struct PositionTable: Codable, Sendable {
    public var tensor: Tensor
    public var grid: Int
    public var hasClassToken: Bool

    public init(tensor: Tensor, grid: Int, hasClassToken: Bool) {
      self.tensor = tensor
      self.grid = grid
      self.hasClassToken = hasClassToken
    }
  }

  /// How what a schedule leaves for the micro-batches of a batch becomes what it would leave for the whole batch.
  public enum Combination: String, Codable, Sendable, Hashable {
    /// Each micro-batch gives the rows of its samples.
    case samples
    /// What the micro-batches give adds up.
    case sum
    /// Each micro-batch gives the same.
    case same
  }

  /// A tensor that holds meaningful values after a schedule has run.
  public struct Output: Codable, Sendable {
    public var tensor: Tensor
    public var combination: Combination

    public init(tensor: Tensor, combination: Combination) {
      self.tensor = tensor
      self.combination = combination
    }
  }

  /// What one schedule leaves in the arena.
  public struct Schedule: Codable, Sendable {
    public var role: ScheduleRole
    /// Such as `loss`, `loss.0`, `target.0` and, of `step` and `update`, the `learning_rate`.
    public var outputs: [Output]
    /// Bytes of the arena that this schedule uses.
    public var arenaBytes: Int
    /// Bytes of each thread's scratch memory that this schedule uses.
    public var scratchBytes: Int
    /// Whether the schedule needs the accumulators.
    public var usesAccumulators: Bool
    /// Where the schedule is left if the loss is not finite: the phase at whose end it is known, before all those that update states;
    /// nil in a schedule that has no loss or changes nothing.
    public var lossPhase: Int?

    public init(
      role: ScheduleRole, outputs: [Output], arenaBytes: Int, scratchBytes: Int, usesAccumulators: Bool, lossPhase: Int?
    ) {
      self.role = role
      self.outputs = outputs
      self.arenaBytes = arenaBytes
      self.scratchBytes = scratchBytes
      self.usesAccumulators = usesAccumulators
      self.lossPhase = lossPhase
    }
  }

  /// What one kernel call does, for profiles.
  public struct Call: Codable, Sendable {
    /// Where in the model the call comes from, such as `blocks.3.mlp.fc1`.
    public var name: String
    /// The kernel's kind: `matmul`, `rows`, `columns`, `attention`, …
    public var kind: String
    /// The kernel's number, as `wamimc --emit kernels` counts them: calls of one kernel do the same on other memory.
    public var kernel: Int
    /// Multiplications and additions in one run of the schedule.
    public var flops: Int
    /// Those of them that matrix products and attention make.
    public var productFlops: Int
    /// Bytes read and written in one run of the schedule.
    public var bytes: Int
    /// Where its operations come from.
    public var origins: Origins

    public init(
      name: String, kind: String, kernel: Int, flops: Int, productFlops: Int, bytes: Int, origins: Origins = Origins()
    ) {
      self.name = name
      self.kind = kind
      self.kernel = kernel
      self.flops = flops
      self.productFlops = productFlops
      self.bytes = bytes
      self.origins = origins
    }
  }
}
