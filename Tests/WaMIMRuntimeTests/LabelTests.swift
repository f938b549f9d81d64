import Foundation
import Testing
import WaMIMRuntime

@Suite("Labels") struct LabelTests {
  private let folder: TemporaryFolder
  private let picture: [UInt8]

  init() throws {
    folder = try TemporaryFolder()
    picture = try fixture("upright.png")
  }

  /// Puts an image to each of `names` below the folder `data`.
  private func fill(_ names: [String], in data: String = "data") throws {
    for name in names { try folder.write(picture, to: "\(data)/\(name)") }
  }

  private func labelled(
    _ data: String = "data", file: String? = nil, classes: ClassTable? = nil, count: Int?, purpose: LabelSearch.Purpose = .training
  ) throws -> LabelledImages {
    try LabelSearch(
      try ImageDataset(folder[data]), name: "the data", file: file.map { folder[$0] }, classes: classes, count: count,
      purpose: purpose
    ).labelled()
  }

  /// The classes of images by what their paths end in.
  private func categories(_ images: LabelledImages) -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: (0..<images.count).map { index in
        let name = images.name(at: index).replacingOccurrences(of: folder.path + "/", with: "")
        return (name, images.table.names[images.label(at: index)?.category ?? -1])
      })
  }

  /// The message of the error that `body` throws.
  private func message(_ body: () throws -> LabelledImages) -> String {
    do {
      _ = try body()
      return ""
    } catch { return (error as? TrainerError)?.message ?? "\(error)" }
  }

  // MARK: Folders

  @Test("The folders below the data are classes, in the order of their bytes, whatever they are called")
  func folders() throws {
    try fill(["zebra/a.png", "Ääbc/deep/er/b.png", "two words/c.png", "two words/d.png", "Zoo/e.png", "10/f.png", "9/g.png"])
    let images = try labelled(count: 6)
    #expect(images.table.names == ["10", "9", "Zoo", "two words", "zebra", "Ääbc"])
    #expect(
      categories(images) == [
        "data/zebra/a.png": "zebra", "data/Ääbc/deep/er/b.png": "Ääbc", "data/two words/c.png": "two words",
        "data/two words/d.png": "two words", "data/Zoo/e.png": "Zoo", "data/10/f.png": "10", "data/9/g.png": "9",
      ])
    #expect(images.counts == [1, 1, 1, 2, 1, 1] && !images.isWeighted)
    #expect(try ClassTable(["a", "b"]) != ClassTable(["b", "a"]))
  }

  @Test("Names that look alike stay different classes")
  func unicode() throws {
    try fill(["caf\u{E9}/a.png", "cafe\u{301}/b.png"])
    #expect(try labelled(count: 2).table.count == 2)
  }

  @Test("Other data has to have the classes of the training")
  func givenClasses() throws {
    let classes = try ClassTable(["cat", "dog", "owl"])
    try fill(["owl/a.png", "cat/b.png"])
    let images = try labelled(classes: classes, count: 3, purpose: .evaluation)
    #expect(categories(images) == ["data/owl/a.png": "owl", "data/cat/b.png": "cat"] && images.counts == [1, 0, 1])
    try fill(["cow/c.png", "pig/d.png"])
    let unknown = message { try labelled(classes: classes, count: 3, purpose: .evaluation) }
    #expect(unknown.contains("cow") && unknown.contains("none of those of the training") && unknown.contains("1 more"))
    #expect(message { try labelled(classes: classes, count: 4) }.contains("the training had 3 classes, and the program has 4"))
  }

  @Test("A folder's name is a name, and numbers are names where classes are called by numbers")
  func numericNames() throws {
    try fill(["0/a.png", "2/b.png"])
    for names in [["a", "b", "c"], ["1", "2", "3"]] {
      let problem = message { try labelled(classes: ClassTable(names), count: 3, purpose: .evaluation) }
      #expect(problem.contains("the class 0") && problem.contains("none of those of the training"))
    }
    try folder.write(Array("0/a.png,0\n2/b.png,2\n".utf8), to: "labels.csv")
    let numbered = try labelled(file: "labels.csv", classes: ClassTable(["a", "b", "c"]), count: 3, purpose: .evaluation)
    #expect(categories(numbered) == ["data/0/a.png": "a", "data/2/b.png": "c"])
    let named = message { try labelled(file: "labels.csv", classes: ClassTable(["1", "2", "3"]), count: 3, purpose: .evaluation) }
    #expect(named.contains("the class 0"))
  }

  @Test("Folders that do not fit the program are refused with what to do")
  func wrongFolders() throws {
    try fill(["cat/a.png", "dog/b.png", "owl/c.png"])
    for count in [2, 4] { #expect(message { try labelled(count: count) }.contains("--set classes=3")) }
    try FileManager.default.createDirectory(atPath: folder["data/yak"], withIntermediateDirectories: true)
    #expect(message { try labelled(count: 3) }.contains("1 class folder of the data holds no images: yak"))
    #expect(try labelled(classes: ClassTable(["cat", "dog", "owl"]), count: 3, purpose: .evaluation).count == 3)
    try fill(["stray.png"])
    let stray = message { try labelled(count: 3) }
    #expect(stray.contains("1 of 4 images have no class") && stray.contains("stray.png") && stray.contains("--labels"))
  }

  // MARK: Files

  @Test("A file names images, classes and weights in any order, in quotation marks where wanted")
  func labelFile() throws {
    try fill(["a.png", "b, c.png", "sub/d.png", "spare.png"])
    try folder.write(
      Array(
        "\u{FEFF}weight,Label,extra,File\r\n0.5,\"the \"\"good\"\"\",x,a.png\r\n1,bad,,\"b, c.png\"\r\n\r\n2,bad,y,sub/d.png".utf8),
      to: "labels.csv")
    let images = try labelled(file: "labels.csv", count: 2)
    #expect(images.table.names == ["bad", "the \"good\""])
    #expect(categories(images) == ["data/a.png": "the \"good\"", "data/b, c.png": "bad", "data/sub/d.png": "bad"])
    #expect(images.isWeighted && (0..<3).map { images.label(at: $0)?.weight } == [0.5, 1, 2])
  }

  @Test("Without names of columns they are file, class and weight, between commas, tabs or blanks", arguments: [",", "\t", "  "])
  func plainFile(separator: String) throws {
    try fill(["a.png", "sub/b.png"])
    let rows = [["a.png", "3"], ["./sub/b.png", "0"]]
    try folder.write(Array(rows.map { $0.joined(separator: separator) + "\n" }.joined().utf8), to: "labels.txt")
    let images = try labelled(file: "labels.txt", count: 5)
    #expect(images.table.names == ["0", "1", "2", "3", "4"])
    #expect(categories(images) == ["data/a.png": "3", "data/sub/b.png": "0"] && !images.isWeighted)
    try folder.write(
      Array("further/up/a.png\(separator)1\(separator)0.25 \n\(folder["data/sub/b.png"])\(separator)1\n".utf8), to: "up.txt")
    let others = try labelled(file: "up.txt", classes: ClassTable(["no", "yes"]), count: 2)
    #expect(categories(others) == ["data/a.png": "yes", "data/sub/b.png": "yes"])
    #expect((0..<2).map { others.label(at: $0)?.weight } == [0.25, 1])
  }

  @Test(
    "What is wrong with a file is said with its line",
    arguments: [
      ("file,class\na.png,x\na.png,x\n", "line 3: a.png has a line already"), ("a.png,x,-1\n", "line 1: the weight '-1'"),
      ("a.png,x,nan\n", "the weight 'nan'"), ("a.png,x,1e99\n", "the weight '1e99'"), ("a.png,x,inf\n", "the weight"),
      ("a.png,x,\n", "the weight ''"), ("a.png,\n", "line 1 lacks its class"), ("file,class\n,x\n", "line 2 lacks its file"),
      ("a.png\n", "line 1 has 1 column"), ("a.png,x,1,2\n", "line 1 has 4 columns"),
      ("\"a.png,x\n", "line 1: a quotation mark is not closed"),
      ("\"a.png\"b,x\n", "line 1: something stands behind"),
      ("a.png,x\nc.png,y\nd.png,y\n", "line 2 names c.png, which is not among the images"),
      ("c.png,y\n", "such as a.png"), ("file,class\n", "has no line for any image"), ("", "has no line for any image"),
      ("a.png,x,0\nb.png,y,0\n", "the weight of every image is 0"), ("a.png,x,1e-45\n", "the weight '1e-45' is not 0"),
      ("a.png,x,3e38\n", "the weight '3e38'"), ("a.png,99999999999999999999\nb.png,1\n", "the label 99999999999999999999, of"),
      ("a.png,x\nc.png,y\nd.png,y\n", "nor are those of 1 more line"), ("\u{FEFF}a.png,x\nb.png,x\n", "has 1 class and"),
      ("a.png,7\nb.png,1\n", "the label 7"), ("a.png,x\nb.png,y\n", "has 2 classes and the program 3"),
    ])
  func wrongFiles(text: String, expected: String) throws {
    try fill(["a.png", "b.png"])
    try folder.write(Array(text.utf8), to: "labels.csv")
    let message = message { try labelled(file: "labels.csv", count: 3) }
    #expect(message.contains(expected), "\(message)")
  }

  @Test("A file of UTF-16 is told from one that names no image")
  func wideLetters() throws {
    try fill(["a.png"])
    for bytes: [UInt8] in [[0xFF, 0xFE, 0x61, 0], [0xFE, 0xFF, 0, 0x61]] {
      try folder.write(bytes, to: "labels.csv")
      #expect(message { try labelled(file: "labels.csv", count: 3) }.contains("labels.csv: it is UTF-16; save it as UTF-8"))
    }
  }

  @Test("Numbers of classes end somewhere where no program says how many there are")
  func largeNumbers() throws {
    try fill(["a.png", "b.png"])
    for number in ["1000000", "4611686018427387904", "9223372036854775807"] {
      try folder.write(Array("a.png,\(number)\nb.png,2\n".utf8), to: "labels.csv")
      let problem = message { try labelled(file: "labels.csv", count: nil) }
      #expect(problem.contains("the label \(number), of") && problem.contains("999999"), "\(problem)")
    }
    try folder.write(Array("a.png,-1\nb.png,2\n".utf8), to: "labels.csv")
    #expect(try labelled(file: "labels.csv", count: nil).table.names == ["-1", "2"])
  }

  @Test("Many classes with an image each")
  func manyClasses() throws {
    try fill((0..<300).map { "class \($0)/only.png" })
    let images = try labelled(count: 300)
    #expect(images.counts.allSatisfy { $0 == 1 } && images.table.names == images.table.names.sorted())
  }

  @Test("Random rows survive writing and reading", arguments: 0..<20)
  func randomRows(seed: Int) throws {
    var numbers = RandomNumbers(seed: UInt64(seed), purpose: .selection)
    let letters = Array("ab ,\"\n\r\t'é")
    let names = (0..<12).map { index in
      "\(index)"
        + String(
          (0..<numbers.next(below: 5)).map { _ in letters[numbers.next(below: letters.count)] }.filter { $0 != "\n" && $0 != "\r" })
    }
    try fill(names.map { $0 + ".png" })
    let classes = names.map { _ in
      "c" + String((0..<numbers.next(below: 6)).map { _ in letters[numbers.next(below: letters.count)] })
    }
    func quoted(_ text: String) -> String { "\"\(text.replacingOccurrences(of: "\"", with: "\"\""))\"" }
    let ending = seed % 2 == 0 ? "\n" : "\r\n"
    let text = zip(names, classes).map { quoted($0 + ".png") + "," + quoted($1) + ending }.joined()
    try folder.write(Array(text.utf8), to: "labels.csv")
    let images = try labelled(file: "labels.csv", count: Set(classes.map { Array($0.utf8) }).count)
    let found = categories(images)
    for (name, category) in zip(names, classes) {
      #expect(found["data/\(name).png"].map { Array($0.utf8) } == Array(category.utf8), "seed \(seed)")
    }
  }

  // MARK: Shards

  @Test("Entries beside the images of shards name classes", arguments: [false, true])
  func shards(areNumbers: Bool) throws {
    let names = areNumbers ? ["2", "0"] : ["tabby cat", "owl"]
    try folder.write(
      tar([
        ("a/1.png", picture), ("a/1.cls", Array("\(names[0])\n".utf8)), ("a/2.seg.png", picture),
        ("a/2.json", Array(areNumbers ? #"{"label": 0, "width": 3}"#.utf8 : #"{"class": "owl"}"#.utf8)),
      ]), to: "data/0.tar")
    try folder.write(
      tar([("b.cls", Array(names[1].utf8)), ("b.json", Array("{\"cls\": 9}".utf8)), ("b.png", picture)]), to: "data/1.tar")
    let images = try labelled(count: areNumbers ? 3 : 2)
    #expect(images.table.names == (areNumbers ? ["0", "1", "2"] : ["owl", "tabby cat"]))
    #expect(
      categories(images) == [
        "data/0.tar/a/1.png": names[0], "data/0.tar/a/2.seg.png": names[1], "data/1.tar/b.png": names[1],
      ])
    try folder.write(Array("a/1.png,x\nb.png,y\n".utf8), to: "labels.csv")
    #expect(categories(try labelled(file: "labels.csv", count: 2)) == ["data/0.tar/a/1.png": "x", "data/1.tar/b.png": "y"])
    try folder.write(tar([("c.png", picture)]), to: "data/2.tar")
    #expect(message { try labelled(count: 3) }.contains("1 of 4 images in the data have no class"))
  }

  @Test("Entries of no image, and those of JSON beside a .cls, name no classes; a field that is no name is passed over")
  func otherEntries() throws {
    try folder.write(
      tar([
        ("a.json", Array(#"{"class": "loser"}"#.utf8)), ("a.png", picture), ("a.cls", Array("owl".utf8)),
        ("stray.cls", Array("yak".utf8)), ("empty.cls", []), ("b.png", picture), ("a.cls", Array("owl".utf8)),
        ("b.json", Array(#"{"class": {"id": 3}, "label": "cat", "cls": [1, 2]}"#.utf8)), ("c.cls", Array("owl".utf8)),
        ("c.json", Array("no JSON".utf8)), ("c.png", picture),
      ]), to: "data/0.tar")
    let images = try labelled(count: 2)
    #expect(
      categories(images) == ["data/0.tar/a.png": "owl", "data/0.tar/b.png": "cat", "data/0.tar/c.png": "owl"]
        && images.table.names == ["cat", "owl"])
  }

  @Test(
    "What contradicts itself or cannot be read is named",
    arguments: [
      ([("a.cls", "owl"), ("a.cls", "cat")], "two .cls files for a, one of the class owl and one of cat"),
      ([("a.json", #"{"label": 1}"#), ("a.json", "[]")], "two .json files for a, one of the class 1 and one of none"),
      ([("a.json", #"{"label": 1"#)], "0.tar: a.json is not JSON"), ([("a.cls", " \n")], "a.cls is empty"),
      ([("a.json", #"{"label": 1.5}"#)], "1 of 1 image in the data have no class"),
    ])
  func wrongEntries(entries: [(String, String)], expected: String) throws {
    try folder.write(tar([("a.png", picture)] + entries.map { ($0, Array($1.utf8)) }), to: "data/0.tar")
    let message = message { try labelled(count: 2) }
    #expect(message.contains(expected), "\(message)")
  }

  /// A tar archive of files.
  private func tar(_ files: [(name: String, bytes: [UInt8])]) -> [UInt8] {
    var archive: [UInt8] = []
    for file in files {
      var header = [UInt8](repeating: 0, count: 512)
      header.replaceSubrange(0..<file.name.utf8.count, with: file.name.utf8)
      let size = String(file.bytes.count, radix: 8)
      header.replaceSubrange(124..<135, with: (String(repeating: "0", count: 11 - size.count) + size).utf8)
      header[156] = UInt8(ascii: "0")
      header.replaceSubrange(148..<156, with: Array(repeating: UInt8(ascii: " "), count: 8))
      let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
      header.replaceSubrange(148..<155, with: (String(repeating: "0", count: 6 - sum.count) + sum + "\0").utf8)
      archive += header + file.bytes + [UInt8](repeating: 0, count: (512 - file.bytes.count % 512) % 512)
    }
    return archive + [UInt8](repeating: 0, count: 1024)
  }

  // MARK: Lists

  @Test("The digest tells labels apart, and the table of classes survives its text")
  func digest() throws {
    try fill(["a.png", "b.png"])
    var digests: Set<String> = []
    for text in ["a.png,x\nb.png,y\n", "a.png,y\nb.png,x\n", "a.png,x,2\nb.png,y\n", "a.png,x\nb.png,z\n"] {
      try folder.write(Array(text.utf8), to: "labels.csv")
      digests.insert(try labelled(file: "labels.csv", count: 2).digest)
    }
    #expect(digests.count == 4)
    let table = try ClassTable(["two words", "Ä", "\"\\"])
    #expect(try ClassTable(json: table.json) == table)
    #expect(throws: TrainerError.self) { try ClassTable(json: "{}") }
    #expect(throws: TrainerError.self) { try ClassTable(["a", "b", "a"]) }
  }
}
