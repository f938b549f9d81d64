import Foundation

/// A compiler that makes PTX of CUDA C++: clang, or nvcc.
public struct DeviceCompiler: Sendable {
  private enum Kind {
    case clang
    case nvcc
  }

  private let kind: Kind
  private let path: String

  /// Clangs that Debian and others install, newest first; the plain name last, as it may be one without NVIDIA's targets.
  private static let clangs = (14...21).reversed().map { "clang-\($0)" } + ["clang"]

  /// The compiler of this machine.
  ///
  /// - Throws: An error that says what to install, where there is none.
  public init() throws {
    for name in Self.clangs {
      if let path = Tools.findOnPath(name), Self.hasDeviceTarget(path) {
        (kind, self.path) = (.clang, path)
        return
      }
    }
    if let path = Tools.find("nvcc") {
      (kind, self.path) = (.nvcc, path)
      return
    }
    throw CUDAError(
      """
      Code for GPUs is compiled by clang, version 14 or newer, or by nvcc, and neither is on the path, in CUDA_HOME or in Python's \
      packages: 'apt-get install clang-14' installs the one, \
      'pip install nvidia-cuda-nvcc nvidia-nvvm nvidia-cuda-crt nvidia-cuda-runtime' the other.
      """)
  }

  /// Whether a clang was built with code generation for NVIDIA's GPUs.
  private static func hasDeviceTarget(_ path: String) -> Bool {
    (try? Tools.run(path, ["--print-targets"]))?.contains("nvptx64") ?? false
  }

  /// `text` as PTX.
  ///
  /// - Throws: An error with the compiler's messages.
  package func ptx(of text: String, for architecture: GPUArchitecture = .ampere) throws -> String {
    let ptx = try Tools.inFolder { folder in
      let (source, result) = (folder.appendingPathComponent("kernels.cu"), folder.appendingPathComponent("kernels.ptx"))
      try Data(text.utf8).write(to: source)
      _ = try Tools.run(path, options(for: architecture) + [source.path, "-o", result.path])
      return try String(contentsOf: result, encoding: .utf8)
    }
    return kind == .clang ? Self.renamed(ptx, for: architecture) : ptx
  }

  /// What a product and a sum become is decided here, so that drivers, which compile the PTX, leave the bits as they are.
  private func options(for architecture: GPUArchitecture) -> [String] {
    switch kind {
    case .clang:
      [
        "-x", "cuda", "--cuda-device-only", "--cuda-gpu-arch=\(GPUArchitecture.ampere.name)", "-nocudainc", "-nocudalib", "-O3",
        "-S",
        "-Xclang", "-target-feature", "-Xclang", "+ptx70", "-Wno-unknown-cuda-version",
        // Sums of products have to stay in registers, so loops over them are unrolled however long they are.
        "-mllvm", "-pragma-unroll-threshold=1000000", "-ffp-contract=on",
      ]
    case .nvcc: ["-arch=\(architecture.name)", "-O3", "-fmad=false", "-ptx"]
    }
  }

  /// Ampere's PTX as that of another architecture, which has all of its instructions: clang 14 does not know newer ones by name, and
  /// what only they have stands in the text as PTX.
  private static func renamed(_ ptx: String, for architecture: GPUArchitecture) -> String {
    ptx.replacing(#/(?m)^\.version .*$/#, with: ".version \(architecture.ptx.text)", maxReplacements: 1)
      .replacing(#/(?m)^\.target .*$/#, with: ".target \(architecture.name)", maxReplacements: 1)
  }
}
