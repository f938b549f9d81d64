import ArgumentParser
import WaMIMManifest

/// `export`: the trained encoder for other programs.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write the encoder alone, or a classifier, for use elsewhere.",
    discussion: """
      With --timm, writes a safetensors file with the names and shapes of timm's VisionTransformer, positions included, and prints the \
      call of timm.create_model that it loads into with strict=True. Decoders and the norms of all taps but the last stay behind. A \
      classifier comes with its head.
      """)

  @Flag(help: "Write timm's names, for PyTorch Image Models: the one format there is.")
  var timm = false

  @Option(help: ArgumentHelp("A run's folder or checkpoint.", valueName: "run"))
  var checkpoint: String

  @OptionGroup var average: AverageOption

  @Option(name: .shortAndLong, help: ArgumentHelp("The safetensors file to write.", valueName: "file"))
  var output: String

  func validate() throws {
    if !timm { throw ValidationError("say in which format to write: --timm") }
  }

  func run() throws {
    let program = try Trainer.program()
    let encoder = try TimmEncoder(program)
    let path = try RunFolder.checkpoint(from: checkpoint)
    var protected = ProtectedFiles()
    protected.protect(path, as: "the checkpoint")
    try protected.check(output, option: "-o")
    try encoder.write(to: output, parameters: try SafetensorsReader(path), of: program, averaged: average.isAveraged)
    Console.print("wrote \(output)")
    if let difference = encoder.difference { Console.warn(difference) }
    Console.print("model = \(encoder.createModel)")
    let quoted = output.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
    Console.print("model.load_state_dict(safetensors.torch.load_file('\(quoted)'))")
  }
}

extension TimmEncoder {
  /// Writes the encoder with the values of the parameters in `reader`'s file.
  func write(
    to path: String, parameters reader: SafetensorsReader, of program: Program, averaged: Bool
  ) throws(TrainerError) {
    try Checkpoint.check(reader, of: program)
    let names = try Checkpoint.names(in: reader, of: program, averaged: averaged)
    let layouts = tensors.map { tensor in
      Safetensors.Layout(name: tensor.name, shape: tensor.shape, byteCount: 4 * tensor.shape.reduce(1, *))
    }
    // What libraries of PyTorch look for, and how to use the file.
    let metadata = ["format": "pt", "model": createModel]
    try Safetensors.write(layouts, metadata: metadata, to: path) { (index, file) throws(TrainerError) in
      switch tensors[index].source {
      case .constant(let values): try file.write(values.withUnsafeBytes { Array($0) })
      case .parameter(let name):
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: layouts[index].byteCount, alignment: 8)
        defer { bytes.deallocate() }
        try reader.read(names[name] ?? name, into: bytes)
        guard let start = bytes.baseAddress, FiniteCheck.isFinite(start, byteCount: bytes.count) else {
          throw TrainerError(
            "\(reader.path): the parameter `\(name)` holds numbers that are not finite; export an earlier checkpoint")
        }
        try file.write(UnsafeRawBufferPointer(bytes))
      }
    }
  }
}
