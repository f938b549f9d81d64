import Foundation
import WaMIMCompiler
import WaMIMGraph
import WaMIMLLVM

/// Kernels compiled, linked into a shared library and loaded into this process.
final class CompiledKernels {
  typealias KernelFunction = @convention(c) (UnsafePointer<UnsafeMutableRawPointer?>, Int64, Int64) -> Void

  let kernels: [Kernel]
  private let library: UnsafeMutableRawPointer
  private let functions: [KernelFunction]

  init(_ kernels: [Kernel], backend: LLVMBackend = LLVMBackend()) throws {
    self.kernels = kernels
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("wamim-kernels-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (object, shared) = (folder.appendingPathComponent("kernels.o"), folder.appendingPathComponent("kernels.so"))
    try Data(backend.emit(kernels, as: .object)).write(to: object)
    let linker = Process()
    linker.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    linker.arguments = ["cc", "-shared", "-o", shared.path, object.path, "-lopenblas", "-lm"]
    try linker.run()
    linker.waitUntilExit()
    guard linker.terminationStatus == 0, let library = dlopen(shared.path, RTLD_NOW) else {
      throw BackendError("The kernels could not be linked and loaded.")
    }
    self.library = library
    functions = try kernels.indices.map { index in
      guard let symbol = dlsym(library, "kernel_\(index)") else { throw BackendError("There is no kernel_\(index).") }
      return unsafeBitCast(symbol, to: KernelFunction.self)
    }
  }

  deinit { dlclose(library) }

  /// Runs kernel `index` on whole arrays, as a call for each of `ranges` of units.
  ///
  /// Workspace and each array's surroundings are filled with what is not a number.
  func run(_ index: Int, arrays: inout [[Float]], ranges: [Range<Int>]) throws {
    let kernel = kernels[index]
    let guardCount = 64
    let buffers = zip(kernel.arguments, arrays).map { argument, array in
      let buffer = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: array.count + 2 * guardCount)
      buffer.initialize(repeating: CompiledKernels.poison)
      for (position, number) in array.enumerated() where argument.access != .workspace {
        buffer[guardCount + position] = argument.element == .float32 ? number.bitPattern : UInt32(bitPattern: Int32(number))
      }
      return buffer
    }
    defer { for buffer in buffers { buffer.deallocate() } }
    for range in ranges {
      let pointers = zip(kernel.arguments, buffers).map { argument, buffer in
        UnsafeMutableRawPointer(buffer.baseAddress.map { $0 + guardCount + range.lowerBound * argument.unitStride })
      }
      functions[index](pointers, Int64(range.lowerBound), Int64(range.upperBound))
    }
    for (position, (argument, buffer)) in zip(kernel.arguments, buffers).enumerated() where argument.access != .workspace {
      let inside = guardCount..<buffer.count - guardCount
      guard buffer.indices.allSatisfy({ inside.contains($0) || buffer[$0] == CompiledKernels.poison }) else {
        throw BackendError("Kernel \(index) wrote outside argument \(position).")
      }
      arrays[position] = inside.map { element in
        argument.element == .float32 ? Float(bitPattern: buffer[element]) : Float(Int32(bitPattern: buffer[element]))
      }
    }
  }

  /// A signalling bit pattern that no computation produces.
  private static let poison: UInt32 = 0x7FA0_DEAD
}
