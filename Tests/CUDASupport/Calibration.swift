import Foundation
import TestSupport

/// Small programs in PTX that are run emulated and by a driver, so that it is known what the emulator can be believed in.
///
/// Together they have every instruction that changes numbers in kernels. All round as IEEE 754 says, so that bits have to be equal, but
/// for products of matrices, whose sums a GPU rounds in its own way.
package struct Calibration {
  /// What came of a program.
  package struct Outcome {
    package var program: String
    package var equalWords: Int
    package var words: Int
    /// The largest difference beside the largest number, of a program whose bits may differ.
    package var error: Double?

    package var isGood: Bool { error.map { $0 < Calibration.tolerance } ?? (equalWords == words) }
  }

  /// What products may differ by; the sums of a tensor core keep two bits more than float32 at least.
  private static let tolerance = 1e-6

  private struct Program {
    var name: String
    var ptx: String
    var threads: Int
    /// Words that the program reads, and how many it leaves.
    var input: [UInt32]
    var resultCount: Int
    var isExact = true
  }

  /// Runs each program on both.
  package static func run(_ load: (_ ptx: String) throws -> any DeviceFunctions) throws -> [Outcome] {
    try programs.map { program in
      let expected = try results(of: program, on: EmulatedKernels(ptx: program.ptx))
      return outcome(of: program, try results(of: program, on: load(program.ptx)), expected)
    }
  }

  private static func outcome(of program: Program, _ actual: [UInt32], _ expected: [UInt32]) -> Outcome {
    let equal = zip(actual, expected).count { $0 == $1 || isNotANumber($0) && isNotANumber($1) }
    let error =
      program.isExact
      ? nil : relativeError(actual.map { Double(Float(bitPattern: $0)) }, expected.map { Double(Float(bitPattern: $0)) })
    return Outcome(program: program.name, equalWords: equal, words: expected.count, error: error)
  }

  /// The bits of what is not a number are nobody's business. (Integers with those bits are taken for such, too.)
  private static func isNotANumber(_ word: UInt32) -> Bool { Float(bitPattern: word).isNaN }

  private static func results(of program: Program, on functions: any DeviceFunctions) throws -> [UInt32] {
    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 * program.input.count, alignment: 256)
    let result = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 * program.resultCount, alignment: 256)
    defer {
      input.deallocate()
      result.deallocate()
    }
    program.input.withUnsafeBytes { input.copyMemory(from: $0) }
    _ = result.initializeMemory(as: UInt8.self, repeating: 0xff)
    guard let from = input.baseAddress, let to = result.baseAddress else { return [] }
    try functions.launch("program", threads: program.threads, [from, to], memory: [input, result])
    return Array(result.bindMemory(to: UInt32.self))
  }

  // MARK: Programs

  private static let programs = [
    elementwise("float32", floats, numbers: hardFloats), elementwise("integers", integers, numbers: hardIntegers),
    elementwise("float64", doubles, numbers: hardFloats), elementwise("shuffles", shuffles, numbers: hardIntegers), neighbours,
    product,
  ]

  /// Instructions on %a, %b and %c, words or as float32 %x, %y and %z, which leave a word in %r.
  private static let floats =
    [
      "add.rn.f32 %f, %x, %y;", "sub.rn.f32 %f, %x, %y;", "mul.rn.f32 %f, %x, %y;", "fma.rn.f32 %f, %x, %y, %z;",
      "div.rn.f32 %f, %x, %y;", "sqrt.rn.f32 %f, %x;", "rcp.rn.f32 %f, %x;", "neg.f32 %f, %x;", "abs.f32 %f, %x;",
      "min.f32 %f, %x, %y;", "min.NaN.f32 %f, %x, %y;", "max.f32 %f, %x, %y;", "cvt.rni.f32.f32 %f, %x;",
    ].map { $0 + " mov.b32 %r, %f;" } + [
      "cvt.rzi.s32.f32 %r, %x;", "cvt.rn.f32.s32 %f, %a; mov.b32 %r, %f;",
    ] + ["lt", "gt", "le", "ge", "eq", "gtu", "num", "nan"].map { "setp.\($0).f32 %p, %x, %y; selp.b32 %r, 1, 0, %p;" }

  private static let integers =
    [
      "add.s32 %r, %a, %b;", "sub.s32 %r, %a, %b;", "mul.lo.s32 %r, %a, %b;", "mul.hi.s32 %r, %a, %b;", "mul.hi.u32 %r, %a, %b;",
      "mad.lo.s32 %r, %a, %b, %c;", "and.b32 %r, %a, %b;", "or.b32 %r, %a, %b;", "xor.b32 %r, %a, %b;", "not.b32 %r, %a;",
      "min.u32 %r, %a, %b;", "bfe.u32 %r, %a, 7, 9;", "shl.b32 %r, %a, 5;", "shr.u32 %r, %a, 5;", "shr.s32 %r, %a, 5;",
      "or.b32 %b, %b, 1; div.u32 %r, %a, %b;", "or.b32 %b, %b, 1; rem.u32 %r, %a, %b;",
      "mul.wide.s32 %l, %a, %b; shr.u64 %l, %l, 20; cvt.u32.u64 %r, %l;",
      "mul.wide.u32 %l, %a, %b; shr.u64 %l, %l, 20; cvt.u32.u64 %r, %l;",
      "mul.wide.u32 %l, %a, %b; mul.lo.s64 %l, %l, 264; shr.u64 %l, %l, 20; cvt.u32.u64 %r, %l;",
      "cvt.u16.u32 %h, %a; mul.lo.s16 %h, %h, 77; shr.u16 %h, %h, 3; cvt.u32.u16 %r, %h;",
      "cvt.u16.u32 %h, %a; mul.hi.u16 %h, %h, 20972; cvt.u32.u16 %r, %h;",
      "cvt.u16.u32 %h, %a; shr.s16 %h, %h, 3; cvt.s32.s16 %r, %h;",
    ] + ["lt.s32", "gt.u32", "ne.s32", "ge.s32"].map { "setp.\($0) %p, %a, %b; selp.b32 %r, %a, %c, %p;" }

  private static let doubles = ["add.rn.f64 %d, %dx, %dy;", "mul.rn.f64 %d, %dx, %dy;"].flatMap { instruction in
    ["mov.b64 {%r, %b}, %d;", "mov.b64 {%b, %r}, %d;"].map { "cvt.f64.f32 %dx, %x; cvt.f64.f32 %dy, %y; \(instruction) \($0)" }
  }

  private static let shuffles = [1, 2, 4, 8, 16].map { "shfl.sync.bfly.b32 %r, %a, \($0), 31, -1;" }

  /// A program of 256 threads, each of which reads three numbers and leaves what every instruction makes of them.
  private static func elementwise(_ name: String, _ instructions: [String], numbers: [UInt32]) -> Program {
    let threads = 256
    var generator = SeededGenerator(seed: 1)
    let words = (0..<3 * threads).map { index in
      index % 3 < 2 && index / 3 < numbers.count * numbers.count
        ? numbers[index % 3 == 0 ? index / 3 % numbers.count : index / 3 / numbers.count]
        : UInt32(truncatingIfNeeded: generator.next())
    }
    let body = instructions.enumerated().map { index, text in
      """
        ld.global.u32 %a, [%from]; ld.global.u32 %b, [%from+4]; ld.global.u32 %c, [%from+8];
        mov.b32 %x, %a; mov.b32 %y, %b; mov.b32 %z, %c;
        \(text)
        st.global.u32 [%to+\(4 * index)], %r;
      """
    }
    let ptx = """
      \(header)
        .reg .b32 %t, %a, %b, %c, %r; .reg .f32 %x, %y, %z, %f; .reg .f64 %d, %dx, %dy; .reg .b16 %h; .reg .pred %p; .reg .b64 %l;
        mov.u32 %t, %tid.x;
        mul.wide.u32 %l, %t, 12;
        add.s64 %from, %from, %l;
        mul.wide.u32 %l, %t, \(4 * instructions.count);
        add.s64 %to, %to, %l;
      \(body.joined(separator: "\n"))
        ret;
      }
      """
    return Program(name: name, ptx: ptx, threads: threads, input: words, resultCount: threads * instructions.count)
  }

  /// The beginning of a program that reads at %from and writes at %to.
  private static let header = """
    .version 7.0
    .target sm_80
    .address_size 64
    .visible .entry program(.param .u64 input, .param .u64 result)
    {
      .reg .b64 %from, %to;
      ld.param.u64 %from, [input];
      cvta.to.global.u64 %from, %from;
      ld.param.u64 %to, [result];
      cvta.to.global.u64 %to, %to;
    """

  /// Numbers of which instructions make something special, each with each.
  private static let hardFloats: [UInt32] = [
    0, -0.0, 1, -1.5, 0.1, 3e-42, -.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, 2.5, 8_388_609,
    .infinity,
    -.infinity, .nan, 3e9,
  ].map(\Float.bitPattern)
  private static let hardIntegers: [UInt32] = [
    0, 1, 2, 7, 31, 255, 65_535, 65_536, 1 << 31, (1 << 31) - 1, .max, .max - 1, 12_345_678,
  ]

  /// Each of 64 threads leaves its number in shared memory and takes that of a thread of another warp.
  private static let neighbours = Program(
    name: "shared memory",
    ptx: """
      \(header)
        .reg .b32 %t, %r, %s; .reg .b64 %l;
        .shared .align 4 .b8 numbers[256];
        mov.u32 %t, %tid.x;
        mul.wide.u32 %l, %t, 4;
        add.s64 %from, %from, %l;
        add.s64 %to, %to, %l;
        ld.global.u32 %r, [%from];
        shl.b32 %t, %t, 2;
        mov.u32 %s, numbers;
        add.s32 %s, %s, %t;
        st.shared.u32 [%s], %r;
        bar.sync 0;
        mov.u32 %s, numbers;
        add.s32 %t, %t, 132;
        and.b32 %t, %t, 255;
        add.s32 %s, %s, %t;
        ld.shared.u32 %r, [%s];
        st.global.u32 [%to], %r;
        ret;
      }
      """, threads: 64, input: (0..<64).map { 1000 + $0 }, resultCount: 64)

  /// A product of 16 × 16 and 16 × 8 numbers of bf16, added to float32, by one warp.
  private static let product: Program = {
    var generator = SeededGenerator(seed: 2)
    let pairs: [UInt32] = generator.numbers(32 * 6 * 2).map { UInt32(Float($0).bitPattern >> 16) }
    let sums: [UInt32] = generator.numbers(32 * 4).map { Float($0).bitPattern }
    // Each thread has four words of the left matrix, two of the right one, and four sums.
    let input = (0..<32).flatMap { thread -> [UInt32] in
      let words = (6 * thread..<6 * thread + 6).map { word in pairs[2 * word] | pairs[2 * word + 1] << 16 }
      return words + sums[4 * thread..<4 * thread + 4]
    }
    return Program(
      name: "products of bf16",
      ptx: """
        \(header)
          .reg .b32 %t, %a<4>, %b<2>; .reg .f32 %c<4>; .reg .b64 %l;
          mov.u32 %t, %tid.x;
          mul.wide.u32 %l, %t, 40;
          add.s64 %from, %from, %l;
          mul.wide.u32 %l, %t, 16;
          add.s64 %to, %to, %l;
          ld.global.u32 %a0, [%from]; ld.global.u32 %a1, [%from+4]; ld.global.u32 %a2, [%from+8]; ld.global.u32 %a3, [%from+12];
          ld.global.u32 %b0, [%from+16]; ld.global.u32 %b1, [%from+20];
          ld.global.f32 %c0, [%from+24]; ld.global.f32 %c1, [%from+28]; ld.global.f32 %c2, [%from+32]; ld.global.f32 %c3, [%from+36];
          mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%c0, %c1, %c2, %c3}, {%a0, %a1, %a2, %a3}, {%b0, %b1}, {%c0, %c1, %c2, %c3};
          st.global.f32 [%to], %c0; st.global.f32 [%to+4], %c1; st.global.f32 [%to+8], %c2; st.global.f32 [%to+12], %c3;
          ret;
        }
        """, threads: 32, input: input, resultCount: 128, isExact: false)
  }()
}
