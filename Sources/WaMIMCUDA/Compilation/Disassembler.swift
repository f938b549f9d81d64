import Foundation

/// NVIDIA's programs that make a GPU's instructions of PTX and show them.
struct Disassembler {
  private let ptxas: String
  private let shows: (path: String, options: [String])

  /// The programs of this machine.
  ///
  /// - Throws: An error that says what to install, where one is missing.
  init() throws {
    guard let ptxas = Tools.find("ptxas") else { throw Self.missing("ptxas") }
    self.ptxas = ptxas
    if let path = Tools.find("nvdisasm") {
      shows = (path, ["--print-code"])
    } else if let path = Tools.find("cuobjdump") {
      shows = (path, ["--dump-sass"])
    } else {
      throw Self.missing("nvdisasm or cuobjdump")
    }
  }

  private static func missing(_ name: String) -> CUDAError {
    CUDAError(
      """
      Instructions of GPUs are shown by NVIDIA's ptxas with nvdisasm or cuobjdump, and there is no \(name) on the path, in CUDA_HOME or \
      in Python's packages: 'pip install nvidia-cuda-nvcc-cu12 nvidia-cuda-nvdisasm' installs them.
      """)
  }

  /// The instructions of all functions of `ptx`.
  ///
  /// - Throws: An error with what NVIDIA's programs say.
  func instructions(of ptx: String, for architecture: GPUArchitecture) throws -> String {
    try Tools.inFolder { folder in
      let (source, binary) = (folder.appendingPathComponent("kernels.ptx"), folder.appendingPathComponent("kernels.cubin"))
      try Data(ptx.utf8).write(to: source)
      _ = try Tools.run(ptxas, ["--gpu-name", architecture.name, source.path, "--output-file", binary.path])
      return try Tools.run(shows.path, shows.options + [binary.path])
    }
  }
}
