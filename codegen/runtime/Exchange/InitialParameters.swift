import WaMIMManifest

/// Parameters to begin with from a file that need not be a checkpoint of this model: one of another model with the same encoder,
/// timm's, or Hugging Face's.
package struct InitialParameters {
  /// The file.
  package let path: String
  /// How many tensors the file gave.
  package private(set) var takenCount = 0
  /// Parameters that the file has nothing for, which keep their initial values.
  package private(set) var untouched: [String] = []
  /// Tensors of the file that the model does not have.
  package private(set) var surplus: [String] = []

  /// Tables of positions that were made for another grid, and how.
  package private(set) var resized: [String] = []

  /// What stands before the file's names of parameters.
  private var prefix = ""

  /// How many parameters the model has of each layer, how many of them the file gave, and under which names.
  private var layers: [Layer] = []

  private struct Layer {
    var name: String
    var count = 0
    var taken = 0
    /// The first of the file's names.
    var source: String?
  }

  /// Fills parameters of `model` from the file at `path`, and leaves alone whole layers of the model that the file knows nothing of.
  ///
  /// Names may have a prefix, such as `module.`; timm's `norm` stands for the norm of the last tap, the other way round too, and Hugging
  /// Face's names for timm's. Tables of positions are resized to the model's grid.
  package static func load(_ path: String, into model: TrainedModel) throws(TrainerError) -> InitialParameters {
    let reader = try SafetensorsReader(path)
    let parameters = model.program.parameters
    let tensors = try GivenTensors(reader)
    let names = Names(entries: Set(tensors.byName.keys), parameters: parameters.map(\.name))
    var result = InitialParameters(path: path)
    result.prefix = names.prefix
    var problems: [String] = []
    var matches: [(parameter: Manifest.Tensor, tensor: GivenTensors.Tensor)] = []
    var resizings: [String: PositionTables.Grids] = [:]
    let tables = PositionTables(model.program, reader: reader)
    func source(of parameter: Manifest.Tensor) -> GivenTensors.Tensor? {
      names.source(of: parameter.name).flatMap { tensors.byName[$0] }
    }
    // A head for other classes is of no use, whatever of it fits.
    let hasOtherHead = parameters.contains { parameter in
      Names.layer(of: parameter.name) == "head" && source(of: parameter).map { $0.shape != parameter.shape } == true
    }
    for parameter in parameters {
      let tensor = source(of: parameter)
      let isOtherHead = hasOtherHead && Names.layer(of: parameter.name) == "head"
      guard let tensor, !isOtherHead else {
        if names.knowsLayer(of: parameter.name), !isOtherHead {
          problems.append(
            "it lacks `\(names.prefix)\(parameter.name)`, which this model needs in the shape \(Format.shape(parameter.shape))")
        } else {
          result.untouched.append(parameter.name)
        }
        result.note(parameter.name, from: nil)
        continue
      }
      resizings[parameter.name] = tables.grids(of: parameter, in: tensor)
      if let problem = tensor.problem(as: resizings[parameter.name].map { tables.tensor(parameter, of: $0.from) } ?? parameter) {
        problems.append(problem)
      }
      matches.append((parameter, tensor))
      result.note(parameter.name, from: tensor.sources[0])
    }
    guard problems.isEmpty else {
      throw TrainerError(
        "\(path) does not fit this model: \(list(problems, separator: "; ", atMost: 3)). "
          + "Compile the model for what the file has, or begin with another file")
    }
    try check(matches.map(\.parameter.name), of: parameters.map(\.name), path: path)
    for (parameter, tensor) in matches {
      let values = try tensor.values(from: reader)
      guard let grids = resizings[parameter.name] else {
        try model.upload(values, to: parameter)
        continue
      }
      try model.upload(PositionResizing.resized(values, from: grids.from, to: grids.to), to: parameter)
      result.resized.append("\(parameter.name) from \(grids.from)² to \(grids.to)² positions")
    }
    for parameter in parameters where result.untouched.contains(parameter.name) {
      guard let table = tables.fixedTable(for: parameter) else { continue }
      try model.upload(table.values, to: parameter)
      result.untouched.removeAll { $0 == parameter.name }
      result.resized.append(
        "\(parameter.name) from the sine-cosine table of \(table.grids.from)² to \(table.grids.to)² positions")
    }
    result.takenCount = matches.count
    // A checkpoint's moments are no surplus: they belong to the run that it is from.
    let known = Set(matches.flatMap(\.tensor.sources) + model.program.manifest.states.map(\.tensor.name))
    result.surplus = reader.header.entries.keys.filter { !known.contains($0) }.sorted()
    return result
  }

  /// Throws where so little of the model's `parameters` was found that the file cannot be meant.
  private static func check(_ found: [String], of parameters: [String], path: String) throws(TrainerError) {
    // A Swin's blocks are in its layers.
    let isBlock = { (name: String) in ["blocks", "layers"].contains(Names.layer(of: name)) }
    let known = "those of timm's ViTs, Swins and Beits and of Hugging Face's ViTs"
    guard let first = found.first else {
      throw TrainerError(
        "\(path) has no tensor in common with this model, which knows the names of its own checkpoints and \(known), such as "
          + "`\(parameters.first ?? "?")`")
    }
    guard found.contains(where: isBlock) || !parameters.contains(where: isBlock) else {
      throw TrainerError(
        "\(path) has none of this model's blocks, only \(found.count == 1 ? "`\(first)`" : "`\(first)` and the like"); "
          + "known are names of this model's checkpoints and \(known), such as `blocks.0.attn.qkv.weight`")
    }
  }

  /// Takes note of a parameter, and of the file's name for it where there is one.
  private mutating func note(_ parameter: String, from source: String?) {
    let name = Names.layer(of: parameter)
    let index = layers.firstIndex { $0.name == name } ?? layers.count
    if index == layers.count { layers.append(Layer(name: name)) }
    layers[index].count += 1
    if let source {
      layers[index].taken += 1
      layers[index].source = layers[index].source ?? source
    }
  }

  /// The table of what was taken, a line each layer.
  package var table: [String] {
    let rows = [["layer", "taken", "of", "such as"]] + layers.map { [$0.name, "\($0.taken)", "\($0.count)", $0.source ?? ""] }
    let width = rows.map { $0[0].count }.max() ?? 0
    return rows.map { row in
      let line =
        "  \(Format.left(row[0], width: width))\(Format.right(row[1], width: 7))\(Format.right(row[2], width: 5))  \(row[3])"
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }

  /// Says what came from where.
  func report() {
    Console.print("\(takenCount) tensors from \(path)")
    for line in table { Console.print(line) }
    if !resized.isEmpty { Console.print("resized: \(Self.list(resized, separator: ", "))") }
    if !untouched.isEmpty {
      Console.print("not in it, so begun afresh: \(Self.list(Self.layers(untouched), separator: ", "))")
    }
    if !surplus.isEmpty {
      let layers = Self.list(Self.layers(surplus, below: prefix), separator: ", ")
      Console.print("in it, but not in this model: \(layers)")
    }
  }

  /// The layers that `names` belong to, with how many there are of each; a lone one by its whole name.
  ///
  /// - Parameter prefix: What stands before names.
  private static func layers(_ names: [String], below prefix: String = "") -> [String] {
    var counts: [(layer: String, count: Int)] = []
    for name in names {
      let isBelow = name.hasPrefix(prefix)
      let layer = isBelow ? prefix + Names.layer(of: String(name.dropFirst(prefix.count))) : Names.layer(of: name)
      if let index = counts.firstIndex(where: { $0.layer == layer }) {
        counts[index].count += 1
      } else {
        counts.append((layer, 1))
      }
    }
    return counts.map { (layer, count) in
      count == 1 ? names.first { $0 == layer || $0.hasPrefix(layer + ".") } ?? layer : "\(layer) (\(count) tensors)"
    }
  }

  private static func list(_ items: [String], separator: String, atMost shown: Int = 12) -> String {
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
    /// What the names of the norm after the last layer start with, in the file and in the model.
    private let finalNorm: (theirs: String, ours: String)
    /// The layers of the model that the file has tensors of.
    private let layers: Set<String>

    init(entries: Set<String>, parameters: [String]) {
      self.entries = entries
      let prefix = Self.commonPrefix(of: entries, parameters: Set(parameters))
      self.prefix = prefix
      layers = Set(parameters.filter { entries.contains(prefix + $0) }.map(Self.layer))
      let theirs = entries.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
      finalNorm = (theirs: Self.finalNorm(of: theirs), ours: Self.finalNorm(of: parameters))
    }

    /// What the names of the norm after the last layer start with: timm's, or that of the last tap.
    private static func finalNorm(of names: [String]) -> String {
      let taps = names.filter { $0.hasPrefix("norms.") }.compactMap { Int($0.split(separator: ".")[1]) }
      return taps.max().map { "norms.\($0)." } ?? "norm."
    }

    /// The layer of a name, its first component, such as `blocks`.
    static func layer(of name: String) -> String { String(name.prefix { $0 != "." }) }

    func knowsLayer(of parameter: String) -> Bool { layers.contains(Self.layer(of: parameter)) }

    /// The file's name for `parameter`, or nil where the file has none.
    func source(of parameter: String) -> String? {
      if entries.contains(prefix + parameter) { return prefix + parameter }
      guard parameter.hasPrefix(finalNorm.ours), !knowsLayer(of: parameter) else { return nil }
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
