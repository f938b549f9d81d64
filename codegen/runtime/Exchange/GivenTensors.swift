import WaMIMManifest

/// The tensors of a safetensors file under timm's names, whatever the file calls them.
struct GivenTensors {
  /// A tensor, which may be several of the file's joined along their first dimension.
  struct Tensor {
    /// The file's names.
    let sources: [String]
    let type: String
    let shape: [Int]

    /// Why the tensor cannot be `parameter`, or nil where it can.
    func problem(as parameter: Manifest.Tensor) -> String? {
      let name = "`\(sources.joined(separator: "`, `"))`"
      guard shape == parameter.shape else {
        let have = sources.count == 1 ? "has" : "together have"
        return "\(name) \(have) the shape \(Format.shape(shape)), and this model needs \(Format.shape(parameter.shape))"
      }
      guard ElementConversion.types.contains(type) else {
        return "\(name) is of type \(type), which is none of \(ElementConversion.types.joined(separator: ", "))"
      }
      return nil
    }

    /// The elements; throws where one of them is not finite.
    func values(from reader: SafetensorsReader) throws(TrainerError) -> [Float] {
      var result: [Float] = []
      for source in sources {
        guard let entry = reader.header.entries[source] else { continue }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: entry.range.count, alignment: 8)
        defer { bytes.deallocate() }
        try reader.read(source, into: bytes)
        let values = ElementConversion.floats(UnsafeRawBufferPointer(bytes), of: entry.type, count: entry.shape.reduce(1, *))
        if let index = values.firstIndex(where: { !$0.isFinite }) {
          throw TrainerError(
            "\(reader.path): tensor `\(source)` holds \(values[index]) at element \(index), with which nothing can be trained")
        }
        result += values
      }
      return result
    }
  }

  let byName: [String: Tensor]

  /// Finds the names in the file of `reader`.
  init(_ reader: SafetensorsReader) throws(TrainerError) {
    let entries = reader.header.entries
    let names =
      TransformersNames.tensors(Set(entries.keys))
      ?? entries.keys.map { TransformersNames.Tensor(name: $0, sources: [$0]) }
    var byName: [String: Tensor] = [:]
    for name in names {
      let sources = name.sources.compactMap { entries[$0] }
      guard let first = sources.first else { continue }
      let fits = sources.allSatisfy {
        $0.type == first.type && $0.shape.dropFirst() == first.shape.dropFirst() && !$0.shape.isEmpty
      }
      guard sources.count == 1 || fits else {
        throw TrainerError("\(reader.path): the tensors `\(name.sources.joined(separator: "`, `"))` do not fit together")
      }
      let rows = sources.reduce(0) { $0 + ($1.shape.first ?? 0) }
      byName[name.name] = Tensor(
        sources: name.sources, type: first.type, shape: sources.count == 1 ? first.shape : [rows] + first.shape.dropFirst())
    }
    self.byName = byName
  }
}
