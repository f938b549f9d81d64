import Foundation
import WaMIMCompiler
import WaMIMLLVM

/// Kernels for 64-bit ARM in a program of their own, which QEMU runs for one call after the other.
struct EmulatedKernels: RunnableKernels {
  private static let compiler = "aarch64-linux-gnu-gcc"
  private static let emulator = "qemu-aarch64"

  private let folder: TemporaryFolder
  private let program: URL

  /// Whether this machine has what it takes.
  static let canRun = [compiler, emulator].allSatisfy { name in
    let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
    return folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
  }

  init(_ object: [UInt8], count: Int) throws {
    folder = try TemporaryFolder()
    program = folder.url.appendingPathComponent("kernels")
    let (file, table) = (folder.url.appendingPathComponent("kernels.o"), folder.url.appendingPathComponent("table.c"))
    try Data(object).write(to: file)
    let names = (0..<count).map { "kernel_\($0)" }
    let text = """
      \(names.map { "extern void \($0)(void);\n" }.joined())
      void (*const kernels[])(void) = {\(names.joined(separator: ", "))};
      """
    try text.write(to: table, atomically: true, encoding: .utf8)
    let main = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("run_kernels.c")
    try runCommand(Self.compiler, "-O2", "-static", "-o", program.path, main.path, table.path, file.path, "-lm")
  }

  func run(_ index: Int, _ kernel: Kernel, on memory: inout KernelMemory, ranges: [Range<Int>]) throws {
    let wordBytes = MemoryLayout<UInt32>.size
    let headerCount = 3 + 2 * ranges.count + 2 * kernel.arguments.count
    let headerBytes = headerCount * MemoryLayout<Int64>.size
    var header = [index, ranges.count, kernel.arguments.count] + ranges.flatMap { [$0.lowerBound, $0.upperBound] }
    for (argument, start) in zip(kernel.arguments, memory.starts) {
      header += [headerBytes + start * wordBytes, argument.unitStride * argument.element.byteCount]
    }
    let file = folder.url.appendingPathComponent("arrays-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    let bytes = header.map(Int64.init).withUnsafeBytes { Data($0) } + memory.words.withUnsafeBytes { Data($0) }
    try bytes.write(to: file)
    try runCommand(Self.emulator, program.path, file.path)
    let results = try Data(contentsOf: file).dropFirst(headerBytes)
    memory.words.withUnsafeMutableBytes { _ = results.copyBytes(to: $0) }
  }
}

/// A folder that is gone with its last reference.
final class TemporaryFolder {
  let url = FileManager.default.temporaryDirectory.appendingPathComponent("wamim-kernels-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: url) }
}

/// Runs a command that has to succeed.
func runCommand(_ command: String...) throws {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = command
  try process.run()
  process.waitUntilExit()
  guard process.terminationStatus == 0 else { throw BackendError("\(command.joined(separator: " ")) has failed.") }
}
