import WaMIMManifest

/// Parameters to begin with from a file that need not be a checkpoint of this model: one of another model with the same encoder, or
/// timm's.
package struct InitialParameters {
  /// The file.
  package let path: String
  /// How many tensors the file gave.
  package private(set) var takenCount = 0
  /// Parameters that the file has nothing for, which keep their initial values.
  package private(set) var untouched: [String] = []
  /// Tensors of the file that the model has no place for.
  package private(set) var surplus: [String] = []

  /// Fills parameters of `model` from the file at `path`, and leaves alone whole parts of the model that the file knows nothing of.
  ///
  /// Names may have a prefix, such as `module.`; timm's `norm` stands for the norm of the last tap.
  package static func load(_ path: String, into model: TrainedModel) throws(TrainerError) -> InitialParameters {
    let reader = try SafetensorsReader(path)
    let parameters = model.program.parameters
    let entries = reader.header.entries
    let names = Names(entries: Set(entries.keys), parameters: parameters.map(\.name))
    var result = InitialParameters(path: path)
    var problems: [String] = []
    var matches: [(parameter: Manifest.Tensor, name: String)] = []
    for parameter in parameters {
      guard let name = names.source(of: parameter.name), let entry = entries[name] else {
        if names.knowsPart(of: parameter.name) {
          problems.append(
            "it lacks `\(names.prefix)\(parameter.name)`, which this model needs in the shape \(Format.shape(parameter.shape))")
        } else {
          result.untouched.append(parameter.name)
        }
        continue
      }
      if entry.shape != parameter.shape {
        problems.append(
          "`\(name)` has the shape \(Format.shape(entry.shape)), and this model needs \(Format.shape(parameter.shape))")
      } else if !ElementConversion.types.contains(entry.type) {
        problems.append("`\(name)` is of type \(entry.type), which is none of \(ElementConversion.types.joined(separator: ", "))")
      } else {
        matches.append((parameter, name))
      }
    }
    guard problems.isEmpty else { throw TrainerError("\(path) does not fit this model: \(list(problems, separator: "; "))") }
    guard !matches.isEmpty else {
      throw TrainerError(
        "\(path) has no tensor in common with this model, whose names are those of timm's ViT, such as `\(parameters[0].name)`")
    }
    for (parameter, name) in matches { try read(name, from: reader, into: parameter, of: model) }
    result.takenCount = matches.count
    // A checkpoint's moments are no surplus: they belong to the run that it is from.
    let known = Set(matches.map(\.name) + model.program.manifest.states.map(\.tensor.name))
    result.surplus = entries.keys.filter { !known.contains($0) }.sorted()
    return result
  }

  /// Says what came from where.
  func report() {
    Console.print("\(takenCount) tensors from \(path)")
    if !untouched.isEmpty {
      Console.print("not in it, so begun afresh: \(Self.list(Self.parts(untouched), separator: ", "))")
    }
    if !surplus.isEmpty { Console.print("in it, but not in this model: \(Self.list(surplus, separator: ", "))") }
  }

  private static func read(
    _ name: String, from reader: SafetensorsReader, into parameter: Manifest.Tensor, of model: TrainedModel
  ) throws(TrainerError) {
    guard let entry = reader.header.entries[name] else { return }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: entry.range.count, alignment: 8)
    defer { bytes.deallocate() }
    try reader.read(name, into: bytes)
    try model.upload(ElementConversion.floats(UnsafeRawBufferPointer(bytes), of: entry.type, count: parameter.count), to: parameter)
  }

  /// The parts of the model that `names` belong to, with how many there are of each.
  private static func parts(_ names: [String]) -> [String] {
    var counts: [(part: String, count: Int)] = []
    for name in names {
      let part = Names.part(of: name)
      if let index = counts.firstIndex(where: { $0.part == part }) {
        counts[index].count += 1
      } else {
        counts.append((part, 1))
      }
    }
    return counts.map { $0.count == 1 ? $0.part : "\($0.part) (\($0.count) tensors)" }
  }

  private static func list(_ items: [String], separator: String) -> String {
    let shown = 12
    let rest = items.count > shown ? "\(separator)and \(items.count - shown) more" : ""
    return items.prefix(shown).joined(separator: separator) + rest
  }
}

extension InitialParameters {
  /// Which tensor of a file stands for which parameter.
  private struct Names {
    let entries: Set<String>
    /// What stands before the names of parameters in the file.
    let prefix: String
    /// The name of timm's final norm and the part of the model that it stands for: the norm of the last tap.
    private let finalNorm: (theirs: String, ours: String)?
    /// The parts of the model that the file has tensors of.
    private let parts: Set<String>

    init(entries: Set<String>, parameters: [String]) {
      self.entries = entries
      let prefix = Self.commonPrefix(of: entries, parameters: Set(parameters))
      self.prefix = prefix
      parts = Set(parameters.filter { entries.contains(prefix + $0) }.map(Self.part))
      let taps = Set(parameters.filter { $0.hasPrefix("norms.") }.compactMap { Int($0.split(separator: ".")[1]) })
      finalNorm = taps.max().map { (theirs: "norm.", ours: "norms.\($0).") }
    }

    /// The first part of a name, such as `blocks`.
    static func part(of name: String) -> String { String(name.prefix { $0 != "." }) }

    func knowsPart(of parameter: String) -> Bool { parts.contains(Self.part(of: parameter)) }

    /// The file's name for `parameter`, or nil where the file has none.
    func source(of parameter: String) -> String? {
      if entries.contains(prefix + parameter) { return prefix + parameter }
      guard let finalNorm, parameter.hasPrefix(finalNorm.ours), !knowsPart(of: parameter) else { return nil }
      let name = prefix + finalNorm.theirs + parameter.dropFirst(finalNorm.ours.count)
      return entries.contains(name) ? name : nil
    }

    /// The prefix under which the file has the most parameters, the shortest of several.
    private static func commonPrefix(of entries: Set<String>, parameters: Set<String>) -> String {
      var counts: [String: Int] = [:]
      for entry in entries {
        if parameters.contains(entry) { counts["", default: 0] += 1 }
        for dot in entry.indices where entry[dot] == "." {
          let rest = entry[entry.index(after: dot)...]
          if parameters.contains(String(rest)) { counts[String(entry[...dot]), default: 0] += 1 }
        }
      }
      return counts.min { ($1.value, $0.key.count, $0.key) < ($0.value, $1.key.count, $1.key) }?.key ?? ""
    }
  }
}
