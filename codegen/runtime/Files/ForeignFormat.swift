/// What a file is that is taken for a safetensors file and is none, by its first bytes, and what to do.
enum ForeignFormat {
  /// Bytes to look at.
  static let prefixByteCount = 64

  private static let conversion =
    "in Python, safetensors.torch.save_file(torch.load('FILE', weights_only=True), 'FILE.safetensors') converts one that holds a "
    + "state dict; one like MAE's holds it under 'model': torch.load('FILE', weights_only=True)['model']"
  private static let pickle = "a pickle, as older versions of PyTorch write; \(conversion)"

  private static let beginnings: [(bytes: [UInt8], description: String)] = [
    ([0x50, 0x4B, 0x03, 0x04], "a zip archive, as PyTorch writes; \(conversion)"),
    ([0x80, 0x02], pickle), ([0x80, 0x03], pickle), ([0x80, 0x04], pickle), ([0x80, 0x05], pickle),
    (Array("version https://git-lfs".utf8), "a pointer of Git LFS, whose file `git lfs pull` fetches"),
    (Array("<!doctype".utf8), webPage), (Array("<html".utf8), webPage), (Array("<?xml".utf8), webPage),
    ([0x89] + Array("HDF".utf8), "an HDF5 file, as Keras writes"), (Array("GGUF".utf8), "a GGUF file"),
    ([0x93] + Array("NUMPY".utf8), "a NumPy array"), ([0x1F, 0x8B], "compressed by gzip; unpack it first"),
    ([0x28, 0xB5, 0x2F, 0xFD], "compressed by zstd; unpack it first"), ([0x7F] + Array("ELF".utf8), "an executable or a library"),
    (Array("{".utf8), "JSON, such as the index of a model in several files, or a configuration; give the file with the tensors"),
  ]

  private static let webPage = "a web page; the download has failed, or its address is that of a page about the file"

  /// What a file is that begins with `bytes`, or nil where nothing is known.
  static func description(of bytes: [UInt8]) -> String? {
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
    let text = bytes.drop(while: isSpace).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    return beginnings.first { bytes.starts(with: $0.bytes) || $0.bytes.first == 0x3C && text.starts(with: $0.bytes) }?.description
  }
}
