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
  /// Samples that a schedule takes at a time: a batch, or one of the equal parts that it is cut into.
  public var microBatch: Int
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
  /// Defaults of the training run.
  public var training: Training
  /// How predictions become pictures, or nil where the model has no such meaning.
  public var pictures: Pictures?
  /// The expanded graph, as text that compiles to this program again.
  public var graph: String

  public init(
    model: String, compiler: String, processor: Processor, callsBLAS: Bool, batch: Int, microBatch: Int, states: [State],
    accumulators: [Tensor], inputs: [Input], schedules: [Schedule], calls: [Call], training: Training, pictures: Pictures?,
    graph: String
  ) {
    self.model = model
    self.compiler = compiler
    self.processor = processor
    self.callsBLAS = callsBLAS
    self.batch = batch
    self.microBatch = microBatch
    self.states = states
    self.accumulators = accumulators
    self.inputs = inputs
    self.schedules = schedules
    self.calls = calls
    self.training = training
    self.pictures = pictures
    self.graph = graph
  }
}

extension Manifest {
  /// The processor that code was generated for.
  public struct Processor: Codable, Sendable {
    /// LLVM's name of the processor, such as `znver3`.
    public var name: String
    /// The instruction set extensions that the code uses, by LLVM's names, such as `avx2`.
    public var features: [String]

    public init(name: String, features: [String]) {
      self.name = name
      self.features = features
    }
  }

  /// A tensor somewhere in the arena; its elements are 32 bits wide and lie in row-major order.
  public struct Tensor: Codable, Sendable {
    public var name: String
    /// `f32` or `i32`.
    public var type: String
    public var shape: [Int]
    /// Bytes from the start of the arena.
    public var offset: Int

    public init(name: String, type: String, shape: [Int], offset: Int) {
      self.name = name
      self.type = type
      self.shape = shape
      self.offset = offset
    }

    /// How many elements the tensor has.
    public var count: Int { shape.reduce(1, *) }
  }

  /// A tensor that one step leaves for the next.
  public struct State: Codable, Sendable {
    public var tensor: Tensor
    /// Whether the model learns it, as opposed to the optimiser's moments.
    public var isParameter: Bool
    /// How it is filled before the first step.
    public var initializer: Initializer

    public init(tensor: Tensor, isParameter: Bool, initializer: Initializer) {
      self.tensor = tensor
      self.isParameter = isParameter
      self.initializer = initializer
    }
  }

  /// The distribution that a state's first values are drawn from.
  public enum Initializer: Codable, Sendable, Hashable {
    case constant(Float)
    case normal(standardDeviation: Float)
    /// Uniform in ±sqrt(6 / (fanIn + fanOut)).
    case xavierUniform(fanIn: Int, fanOut: Int)
  }

  /// Where the values of an input come from.
  public enum InputRole: String, Codable, Sendable, Hashable, CaseIterable {
    /// A batch of images, [batch, channels, height, width], normalised.
    case images
    /// Independent uniform numbers in [0, 1), new in every step.
    case uniformNoise
    /// The epochs before the step, a scalar that is mostly a fraction.
    case progress
    /// The epochs of the whole run, a scalar.
    case epochs
    /// The epochs in which the learning rate rises, a scalar.
    case warmupEpochs
    /// The learning rate at the end of the warm-up, a scalar.
    case peakLearningRate
    /// The learning rate at the end of the run, a scalar.
    case minimumLearningRate
    /// The weight decay, a scalar.
    case weightDecay
    /// AdamW's beta1, the share that the mean of gradients keeps of itself in a step, a scalar.
    case firstBeta
    /// AdamW's beta2, the share that the mean of squared gradients keeps of itself, a scalar.
    case secondBeta
    /// What AdamW adds to the root of the second moment, a scalar.
    case epsilon
    /// 1 / (1 - beta1 ^ step), a scalar; steps count from 1.
    case firstMomentCorrection
    /// 1 / (1 - beta2 ^ step), a scalar.
    case secondMomentCorrection
    /// 1 / the batches whose gradients a step takes together, a scalar.
    case batchShare
  }

  /// A tensor that the runtime writes before each run of a schedule.
  public struct Input: Codable, Sendable {
    public var tensor: Tensor
    public var role: InputRole

    public init(tensor: Tensor, role: InputRole) {
      self.tensor = tensor
      self.role = role
    }
  }

  /// How what a schedule leaves for the parts of a batch becomes what it would leave for the whole batch.
  public enum Combination: String, Codable, Sendable, Hashable {
    /// Each part gives the rows of its samples.
    case samples
    /// What the parts give adds up.
    case sum
    /// Each part gives the same.
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
    /// `step` (trains on a whole batch), `gradients` (adds them to the accumulators), `update` (trains on what has been added up)
    /// or `forward` (losses, predictions and targets).
    public var name: String
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
      name: String, outputs: [Output], arenaBytes: Int, scratchBytes: Int, usesAccumulators: Bool, lossPhase: Int?
    ) {
      self.name = name
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

    public init(name: String, kind: String, kernel: Int, flops: Int, productFlops: Int, bytes: Int) {
      self.name = name
      self.kind = kind
      self.kernel = kernel
      self.flops = flops
      self.productFlops = productFlops
      self.bytes = bytes
    }
  }

  /// Defaults of the training run; every one of them can be overridden on the trainer's command line.
  public struct Training: Codable, Sendable, Hashable {
    /// Learning rate for an effective batch of 256.
    public var baseLearningRate: Double = 2e-4
    public var betas: [Double] = [0.9, 0.95]
    public var epsilon: Double = 1e-8
    public var weightDecay: Double = 0.05
    /// Batches whose gradients one step of the optimiser takes together.
    public var batchAccumulation = 1
    public var epochs: Double = 400
    public var warmupEpochs: Double = 40
    /// Learning rate at the end of the run, whatever the batch.
    public var minimumLearningRate: Double = 0
    public var augmentation = Augmentation()

    public init() {}
  }

  /// What happens to an image between the file and the input.
  public struct Augmentation: Codable, Sendable, Hashable {
    /// Range of the share of the image's area that a random crop keeps, or nil for a centre crop.
    public var cropArea: [Double]? = [0.2, 1.0]
    /// Range of a random crop's aspect ratio.
    public var cropAspect: [Double] = [3.0 / 4.0, 4.0 / 3.0]
    public var horizontalFlip = true
    /// Mean and standard deviation of each channel, for values in [0, 1].
    public var mean: [Double] = [0.485, 0.456, 0.406]
    public var standardDeviation: [Double] = [0.229, 0.224, 0.225]

    public init() {}
  }

  /// How predictions become pictures.
  public enum Pictures: Codable, Sendable, Hashable {
    /// Outputs `prediction.K` and `target.K` hold wavelet coefficients, [batch, channels · subbands, height, width], of `levels[K]`.
    ///
    /// `subbands` is `detail` or `all`, `normalization` is `none`, `subband` or `token`, as the model's options of these names.
    case wavelet(wavelet: Wavelet, levels: [Int], subbands: String, normalization: String)
    /// Output `prediction.0` holds pixels, [batch, positions, channels · patch · patch], in the order of the grid of patches.
    case patches(patch: Int, normalized: Bool)
  }
}
