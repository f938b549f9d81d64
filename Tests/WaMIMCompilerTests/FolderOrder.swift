/// Folders of a module in an order in which each may use those before it.
struct FolderOrder {
  var folders: [String]
  /// The files of the module, and those of modules whose names mean no folder's declaration.
  var files: [SourceFile]
  var others: [SourceFile]

  /// What files name of folders that come after their own, and folders that are not in the order.
  func violations() -> [String] {
    let owners = owners()
    return files.flatMap { file -> [String] in
      guard let own = folders.firstIndex(of: file.folder) else {
        return ["\(file.path): '\(file.folder)' is not in the order"]
      }
      return file.words.sorted().compactMap { word in
        guard let owner = owners[word], let index = folders.firstIndex(of: owner), index > own else { return nil }
        return "\(file.path) names '\(word)' of \(owner), which comes after \(file.folder)"
      }
    }
  }

  /// The folders that declare names: types, and functions and properties whose name nothing else has.
  private func owners() -> [Substring: String] {
    var types: [Substring: Set<String>] = [:]
    var members: [Substring: Set<String>] = [:]
    var names: [Substring: Set<String>] = [:]
    for file in files {
      for name in file.declared { names[name, default: []].insert(file.folder) }
      for declaration in file.sharedDeclarations {
        if declaration.isType {
          types[declaration.name, default: []].insert(file.folder)
        } else {
          members[declaration.name, default: []].insert(file.folder)
        }
      }
    }
    let foreign = others.reduce(into: Set<Substring>()) { $0.formUnion($1.declared) }
    let unique = members.filter { name, _ in !foreign.contains(name) && names[name]?.count ?? 1 == 1 }
    return types.merging(unique) { type, _ in type }.compactMapValues { $0.count == 1 ? $0.first : nil }
  }
}

extension SourceFile {
  /// Everything that has a name: variables, functions, cases and parameters.
  fileprivate var declared: Set<Substring> {
    let named = code.matches(of: #/\b(?:func|var|let|case)\s+(?<name>\w+)/#).map(\.name)
    return Set(named + code.matches(of: #/(?<name>\w+)\s*:/#).map(\.name))
  }

  /// The types and functions of a file that others can name, and what it adds to types.
  fileprivate var sharedDeclarations: [(name: Substring, isType: Bool)] {
    var found: [(name: Substring, isType: Bool)] = []
    var isInExtension = false
    for line in code.split(separator: "\n") {
      let isPrivate = line.contains("private ")
      if let top = line.firstMatch(
        of: #/^(?:\w+ )*(?<kind>struct|enum|class|protocol|typealias|func|let|var|extension) (?<name>\w+)/#)
      {
        isInExtension = top.kind == "extension" && !isPrivate
        let isType = !["func", "let", "var"].contains(top.kind)
        if top.kind != "extension", !isPrivate { found.append((top.name, isType)) }
      } else if isInExtension, !isPrivate, let member = line.firstMatch(of: #/^  (?:\w+ )*(?:func|var|let) (?<name>\w+)/#) {
        found.append((member.name, false))
      }
    }
    return found
  }
}
