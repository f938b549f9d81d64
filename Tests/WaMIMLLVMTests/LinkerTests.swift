import Foundation
import Testing
import WaMIMCompiler
import WaMIMGraph
import WaMIMLLVM
import WaMIMManifest

@Suite struct LinkerTests {
  /// A folder that is removed when the test is over.
  private func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("wamim-link-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  @discardableResult
  private func run(_ command: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }

  /// A runtime that prints every number of the program's tables and runs each call once, on its whole range.
  private static let runtime = """
    #include "wamim_program.h"
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    int wamim_main(int argc, char **argv, const wamim_program *p) {
      char *storage[3] = {calloc(1, p->arena_bytes), calloc(1, p->scratch_bytes), calloc(1, p->accumulator_bytes)};
      for (uint64_t c = 0; c < p->constant_count; c++)
        memcpy(storage[0] + p->constants[c].offset, p->constants[c].bytes, p->constants[c].byte_count);
      printf("%u %u %.*s\\n", p->abi_version, p->schedule_count, (int)p->manifest_bytes, p->manifest);
      for (uint32_t s = 0; s < p->schedule_count; s++) {
        printf("%s\\n", p->schedules[s].name);
        for (uint64_t i = 0; i < p->schedules[s].phase_count; i++)
          for (uint32_t g = 0; g < p->schedules[s].phases[i].group_count; g++) {
            const wamim_group *group = &p->schedules[s].phases[i].groups[g];
            for (uint32_t c = 0; c < group->call_count; c++) {
              const wamim_call *call = &group->calls[c];
              void *pointers[8];
              for (uint32_t a = 0; a < call->argument_count; a++)
                pointers[a] = storage[call->arguments[a].storage] + call->arguments[a].offset;
              call->function(pointers, 0, (int64_t)group->units);
              printf("%u %u", group->chunks, call->description);
            }
          }
      }
      for (int i = 0; i < 4; i++) printf(" %g", ((float *)storage[0])[i]);
      for (int i = 0; i < 8; i++) printf(" %g", ((float *)storage[2])[i]);
      static float left[128], right[128], result[128], sums[64];
      for (int i = 0; i < 128; i++) left[i] = i, right[i] = 1000 * i;
      p->probes->triad(result, left, right, 64);
      p->probes->multiply_add(sums, 1000);
      printf("\\n%g %g %g %lld", result[1], result[63], result[64], (long long)p->probes->round_flops);
      for (int i = 0; i < 64; i++) printf(" %g", sums[i]);
      printf("\\n%d %lld", p->probes->multiply_matrices != 0, (long long)p->probes->matrix_round_flops);
      return argc + 40;
    }
    """

  /// A program that adds 1 to four numbers of the arena, and leaves the sums among the accumulators.
  private func program() -> Program {
    let (source, target) = (Access(argument: 0, offset: 0, strides: [2, 1]), Access(argument: 1, offset: 0, strides: [2, 1]))
    let stage = RowStage(
      extent: .elements, instructions: [.load(source), .constant(1), .binary(.add, 0, 1)],
      stores: [Store(access: target, operand: 2)])
    let arguments = [KernelArgument.Access.read, .write].map {
      KernelArgument(element: .float32, access: $0, unitStride: 2, count: 2)
    }
    let kernel = Kernel(arguments: arguments, body: .rows(RowKernel(outer: [2], width: 2, stages: [stage])))
    let placements = [(Placement.Storage.arena, 0), (.accumulators, 16)].map { Placement(storage: $0, offset: $1, unitStride: 8) }
    let call = Call(kernel: KernelID(0), arguments: placements, description: 3)
    let schedule = Schedule(
      name: "step", phases: [Phase(groups: [Group(calls: [call], units: 2, chunks: 7)])], buffers: [], arenaBytes: 32,
      scratchBytes: 64)
    let manifest = Manifest(
      model: "added \"one\"", compiler: "test", processor: .init(name: "", features: []), callsBLAS: false, batch: 2, microBatch: 2,
      states: [], accumulators: [], inputs: [], schedules: [], calls: [], attentionHeads: [:], positionTables: [], recipe: .init(),
      pictures: nil, graph: "")
    return Program(
      name: "added", kernels: [kernel], variants: LLVMBackend().planned([kernel]).map(\.variant), schedules: [schedule],
      constants: [ConstantData(offset: 0, elements: [1, 2, 3, 4.5])],
      arenaBytes: 16, scratchBytes: 64, accumulatorBytes: 32, manifest: manifest)
  }

  private func header() -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("codegen/abi/include").path
  }

  @Test func linkedProgramRunsWithSystemLibrariesAlone() throws {
    try withFolder { folder in
      let source = folder.appendingPathComponent("runtime.c")
      try Self.runtime.write(to: source, atomically: true, encoding: .utf8)
      let object = folder.appendingPathComponent("runtime.o").path
      try #require(run(["cc", "-c", "-I", header(), "-o", object, source.path]).status == 0)
      try #require(run(["ar", "rc", folder.appendingPathComponent("libWaMIMRuntime.a").path, object]).status == 0)

      let executable = folder.appendingPathComponent("train")
      let linker = Linker(command: folder.appendingPathComponent("wamimc"))
      let backend = LLVMBackend()
      try linker.link(backend.objects(for: program()), to: executable)
      let (status, output) = try run([executable.path])
      #expect(status == 41)
      let lines = output.split(separator: "\n")
      try #require(lines.count == 5)
      #expect(lines[0].hasPrefix("5 1 {"))
      let manifest = try JSONDecoder().decode(Manifest.self, from: Data(lines[0].dropFirst(4).utf8))
      #expect(manifest.processor.name == backend.processor.name && manifest.processor.features == backend.processor.features)
      #expect(manifest.model == "added \"one\"")
      #expect(lines[1] == "step")
      #expect(lines[2] == "7 3 1 2 3 4.5 0 0 0 0 2 3 4 5.5")
      let probes = lines[3].split(separator: " ").compactMap { Double($0) }
      #expect(probes.prefix(3) == [3001, 189_063, 0])
      // Each sum goes to a half, and a round has four multiply-adds for each sum in each lane.
      let sums = probes.dropFirst(4).prefix { $0 != 0 }
      #expect(!sums.isEmpty && sums.allSatisfy { Double(sums.count) * $0 * 2 * 2 * 4 == probes[3] }, "\(probes)")

      // No kernel has a product, so none is on AMX.
      #expect(lines[4] == "0 0")

      let needed = try run(["ldd", executable.path]).output
      for library in ["openblas", "jpeg", "png", "webp", "swift", "Foundation", "dispatch"] {
        #expect(!needed.contains("lib\(library)"))
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      #expect(left == ["libWaMIMRuntime.a", "runtime.c", "runtime.o", "train"])
    }
  }

  @Test func missingRuntimeIsNamedAndNothingIsWritten() throws {
    try withFolder { folder in
      let linker = Linker(command: folder.appendingPathComponent("bin/wamimc"))
      let executable = folder.appendingPathComponent("train")
      let error = try #require(throws: BackendError.self) { try linker.link([], to: executable) }
      #expect(error.message.contains("libWaMIMRuntime.a"))
      let written = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(written.isEmpty)
    }
  }

  @Test func unknownProcessorIsRefusedWithTheKnownOnes() throws {
    let error = try #require(throws: BackendError.self) { try TargetProcessor.named("pentium9") }
    #expect(error.message.contains("'pentium9'"))
    #expect(error.message.contains("native"))
    let native = try TargetProcessor.named("native")
    #expect(native == .native)
  }

  @Test func everyOutputIsEmitted() throws {
    let backend = LLVMBackend()
    for output in LLVMBackend.Output.allCases {
      let bytes = try backend.emit(program(), as: output)
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(text.contains("kernel_0") || text.contains("wamim_main"), "\(output)")
    }
  }
}
