import Foundation
import Testing

/// What the runtime makes of signals, in a process that does nothing else for two seconds.
struct SignalTests {
  private static let main = """
    #include "platform.h"
    #include <stdio.h>
    #include <time.h>

    int main(void) {
      struct timespec start, now, pause = {0, 10000000};
      wamim_catch_interruptions();
      puts("ready");
      fflush(stdout);
      clock_gettime(CLOCK_MONOTONIC, &start);
      do {
        nanosleep(&pause, 0);
        clock_gettime(CLOCK_MONOTONIC, &now);
      } while (now.tv_sec - start.tv_sec < 4);
      printf("%d\\n", wamim_interruption());
      return 0;
    }
    """

  /// What a signal is, and how the process ends after `script`, in which $p is its number.
  struct Case: CustomTestStringConvertible {
    var script: String
    var before = ""
    var end: String

    var testDescription: String { "\(before) \(script)" }
  }

  private static let cases =
    [("INT", SIGINT), ("TERM", SIGTERM), ("USR1", SIGUSR1), ("USR2", SIGUSR2), ("HUP", SIGHUP), ("XCPU", SIGXCPU)].map {
      Case(script: "kill -\($0) $p; kill -\($0) $p", end: "\($1)\n0\n")
    } + [
      Case(script: "kill -TERM $p; sleep 1.2; kill -TERM $p", end: "143\n"),
      Case(script: "kill -INT $p; sleep 1.2; kill -TERM $p", end: "143\n"),
      Case(script: "kill -USR1 $p; sleep 1.2; kill -TERM $p", end: "\(SIGUSR1)\n0\n"),
      Case(script: "for i in 1 2 3; do kill -XCPU $p; sleep 0.8; done", end: "\(SIGXCPU)\n0\n"),
      Case(script: "kill -HUP $p", before: "nohup", end: "0\n0\n"), Case(script: "true", end: "0\n0\n"),
    ]

  @Test("Signals are taken note of, repeats are not counted, and a second request ends the process", arguments: cases)
  func signals(_ example: Case) throws {
    let folder = try TemporaryFolder()
    try folder.write(Array(Self.main.utf8), to: "main.c")
    let platform = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("codegen/platform").path
    // A shell with job control, as others have what they start in the background ignore SIGINT.
    let script = """
      set -em
      cc -pthread -I '\(platform)/include' -o main main.c '\(platform)/interruptions.c'
      \(example.before) ./main > said 2> errors & p=$!
      until grep -q ready said; do sleep 0.01; done
      \(example.script)
      status=0; wait $p || status=$?
      grep -v ready said || true
      echo $status
      """
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", script]
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    process.standardOutput = output
    try process.run()
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(said == example.end)
  }
}
