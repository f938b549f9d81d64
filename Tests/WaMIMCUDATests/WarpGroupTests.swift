import CUDASupport
import TestSupport
import Testing
import WaMIMCUDA
import WaMIMCompiler

/// What the emulator finds wrong with products of warp groups whose text has been damaged.
@Suite(.enabled(if: hasDeviceCompiler, deviceCompilerNote)) struct WarpGroupTests {
  private static let (rows, columns, terms) = (136, 264, 400)

  /// A product with several tiles along each side, of which more pass through shared memory than it has room for.
  private static let kernel = Kernel(
    arguments: [
      KernelArgument(element: .bfloat16, access: .read, unitStride: 0, count: rows * terms),
      KernelArgument(element: .bfloat16, access: .read, unitStride: 0, count: columns * terms),
      KernelArgument(element: .float32, access: .write, unitStride: 0, count: rows * columns),
      KernelArgument(element: .float32, access: .workspace, unitStride: 0, count: 0),
    ],
    body: .matmul(
      MatmulKernel(
        partition: .rows(block: rows), m: rows, n: columns, k: terms, factor: .bfloat16,
        left: .init(argument: 0, offset: 0, rowStride: terms, isTransposed: false),
        right: .init(argument: 1, offset: 0, rowStride: terms, isTransposed: true),
        result: .init(argument: 2, offset: 0, rowStride: columns, isTransposed: false), workspace: 3)))

  /// What becomes of the product of ones, after `damage` to its text: a message, or nothing where all is right.
  private func problem(order: UInt64, damage: (String) -> String = { $0 }) throws -> String {
    let backend = try CUDABackend.hopper(tile: 0)
    let variant = backend.variant(of: Self.kernel, units: 1)
    let (kernel, _) = Self.kernel.adopting(variant, units: 1)
    let text = try backend.cuda([(kernel, variant)])
    let damaged = damage(text)
    let emulated = try EmulatedKernels(ptx: DeviceCompiler().ptx(of: damaged, for: backend.architectures[0]))
    let plan = try #require(variant.plan as? CUDAPlan)
    let function = plan.functions[0]
    let buffers = kernel.arguments.map {
      UnsafeMutableRawBufferPointer.allocate(byteCount: max(16, $0.byteCount), alignment: 64)
    }
    defer { for buffer in buffers { buffer.deallocate() } }
    for buffer in buffers[..<2] {
      for element in 0..<buffer.count / 2 { buffer.storeBytes(of: 0x3f80, toByteOffset: 2 * element, as: UInt16.self) }
    }
    do {
      try emulated.launch(
        function, called: CUDABackend.name(ofKernel: 0, function), buffers.compactMap(\.baseAddress), memory: buffers, order: order)
    } catch { return "\(error)" }
    let results = buffers[2].bindMemory(to: Float.self)
    return results.allSatisfy { $0 == Float(Self.terms) } ? "" : "wrong numbers"
  }

  @Test(arguments: 0...4 as ClosedRange<UInt64>) func aSoundProductIsRight(order: UInt64) throws {
    #expect(try problem(order: order) == "")
  }

  private static let arrival = "if (step > 0 && threadIdx.x % 32 == 0) arrive(empty + 8 * ((step - 1) % 4));"

  /// Lines, what stands there instead, and what is found.
  private static let faults: [(line: String, instead: String, message: String)] = [
    ("wait_for_phase(full + 8 * stage, step / 4 % 2);", "", "a product reads"),
    ("wait_for_phase(empty + 8 * stage, step / 4 % 2 ^ 1);", "", "more threads arrive at a barrier"),
    ("wait_for_products<1>();", "", "a tile is overwritten"),
    ("wait_for_products<0>();", "", "a sum is used that products still add to"),
    (arrival, "", "others do not arrive"),
    (arrival, "if (threadIdx.x % 32 == 0) arrive(empty + 8 * stage);", "a tile is overwritten"),
    ("publish_barriers();\n  }\n  block_barrier();", "publish_barriers();\n  }", "barrier"),
  ]

  @Test(arguments: faults.indices) func aFaultIsFoundInEveryOrder(number: Int) throws {
    let fault = Self.faults[number]
    for order in 0...4 as ClosedRange<UInt64> {
      let found = try problem(order: order) { text in
        #expect(text.contains(fault.line), "\(fault.line) is not in \(text)")
        return text.replacing(fault.line, with: fault.instead)
      }
      #expect(found.contains(fault.message), "order \(order), without \(fault.line): \(found)")
    }
  }
}
