import CProgram

/// The trainer's entry point: what a generated `main` calls.
///
/// - Returns: The process's exit code: 0, 1 for a failure, 64 for a command line that makes no sense.
@_cdecl("wamim_main")
public func wamimMain(
  _ argumentCount: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ program: UnsafePointer<wamim_program>?
) -> Int32 {
  var words: [String] = []
  for index in 0..<Int(argumentCount) {
    guard let word = arguments?[index] else { break }
    words.append(String(cString: word))
  }
  guard let program else {
    Console.fail("this executable holds no program; compile the model again")
    return 1
  }
  return Trainer.run(program: program, words: words)
}
