import CLLVM
import WaMIMCompiler
import WaMIMGraph

/// Turns one kernel into one function, `void (void *const *pointers, int64_t begin, int64_t end)`.
struct KernelEmitter {
  let builder: IRBuilder
  let kernel: Kernel
  /// How it is carried out.
  let variant: Variant
  /// The arrays, as pointers to `float`.
  let pointers: [Value]
  /// The first unit, and the one after the last.
  let begin: Value
  let end: Value
  /// How many units there are.
  let units: Value

  /// Defines the function that does what `kernel` says, as `variant` and its `plan` say.
  static func define(
    _ kernel: Kernel, _ variant: Variant, _ plan: CPUPlan, named name: String, visibility: Visibility, in builder: IRBuilder
  ) -> Function {
    builder.define(name, parameters(in: builder), returning: builder.void, visibility: visibility) { function in
      KernelEmitter(kernel, variant, function: function, builder: builder).emit(plan)
      builder.returnNothing()
    }
  }

  /// Declares the function that another object defines.
  static func declare(named name: String, in builder: IRBuilder) -> Function {
    builder.declare(name, parameters(in: builder), returning: builder.void)
  }

  private static func parameters(in builder: IRBuilder) -> [IRType] {
    [builder.pointer(to: builder.floatPointer), builder.int64, builder.int64]
  }

  private init(_ kernel: Kernel, _ variant: Variant, function: Function, builder: IRBuilder) {
    self.builder = builder
    self.kernel = kernel
    self.variant = variant
    pointers = kernel.arguments.indices.map { argument in
      builder.loadPointer(from: function.parameter(0), at: argument)
    }
    begin = function.parameter(1)
    end = function.parameter(2)
    units = builder.subtractIntegers(end, begin)
  }

  private func emit(_ plan: CPUPlan) {
    switch (kernel.body, plan.work) {
    case (.matmul(let matmul), .matmul(let variant)): emit(matmul, variant)
    case (.attention(let attention), .attention(let layout)): emit(attention, layout)
    case (.attentionGradient(let gradient), .attentionGradient(let layout)): emit(gradient, layout)
    case (.groupAttention(let attention), .groupAttention(let layout)): emit(attention, layout)
    case (.groupAttentionGradient(let gradient), .groupAttention(let layout)): emit(gradient, layout)
    case (.rows(let rows), _): emit(rows, over: .units)
    case (.columns(let columns), _): emit(columns)
    case (.index(let index), _): emit(index)
    case (.wavelet(let wavelet), _): forEachUnit { emit(wavelet, unit: $0) }
    case (.sequence(let sequence), _): emit(sequence)
    case (.parallel, _): preconditionFailure("kernels that run at the same time are for targets that ask for them")
    case (.matmul, _), (.attention, _), (.attentionGradient, _), (.groupAttention, _), (.groupAttentionGradient, _):
      preconditionFailure("a \(kernel.body.kind) has the variant of another kernel")
    }
  }
}

extension KernelEmitter {
  /// Element `offset` of an argument.
  func address(_ argument: Int, offset: Int = 0) -> Address {
    Address(base: pointers[argument], index: builder.index(offset), element: kernel.arguments[argument].element)
  }

  /// The first element of what the variant uses of the workspace that is `argument`, behind what the kernel keeps there.
  func workspace(_ argument: Int) -> Address {
    address(argument, offset: kernel.arguments[argument].count - variant.workspace)
  }

  /// The type of an argument's elements.
  func elementType(_ argument: Int) -> IRType {
    switch kernel.arguments[argument].element {
    case .float32: builder.float
    case .bfloat16: builder.int16
    case .int32: builder.int32
    }
  }

  /// Emits all members for each unit before the next one.
  private func emit(_ sequence: SequenceKernel) {
    forEachUnit { unit in
      for member in sequence.members {
        switch member {
        case .wavelet(let wavelet): emit(wavelet, unit: unit)
        case .rows(let rows): emit(rows, over: .unit(unit))
        }
      }
    }
  }

  /// Runs `body` for each unit, with the unit's index counted from the first one of the call.
  func forEachUnit(_ body: (_ unit: Value) throws -> Void) rethrows {
    try builder.loop(from: builder.index(0), to: units) { unit, _ in
      try body(unit)
      return []
    }
  }
}

extension IRBuilder {
  /// Entry `position` of a table of pointers.
  fileprivate func loadPointer(from table: Value, at position: Int) -> Value {
    var indices = [index(position).reference]
    let entry = LLVMBuildGEP2(instructions, floatPointer.reference, table.reference, &indices, 1, "")
    return load(floatPointer, pointer: Value(reference: entry), alignment: 8)
  }
}
