import WaMIMManifest

/// The learned tables of positions of a program, and what a file that it is begun with has for them.
struct PositionTables {
  /// The sides of the grids that a table is made from and for.
  struct Grids: Equatable {
    var from: Int
    var to: Int
  }

  /// The sides of the grids of the program's tables with a row for a class token, by the parameters' names.
  private let sides: [String: Int]
  /// The side of the grid of the file's fixed table, where it tells one.
  private let fixedSide: Int?

  init(_ program: Program, reader: SafetensorsReader) {
    var sides: [String: Int] = [:]
    for state in program.manifest.states {
      if case .positions(let grid, classToken: true) = state.initializer { sides[state.tensor.name] = grid }
    }
    self.sides = sides
    fixedSide = reader.header.metadata[PositionResizing.gridKey].flatMap { Int($0) }.flatMap { (1...4096).contains($0) ? $0 : nil }
  }

  /// The grids of a table that the file has for `parameter`, where they differ.
  func grids(of parameter: Manifest.Tensor, in tensor: GivenTensors.Tensor) -> Grids? {
    guard let side = sides[parameter.name], tensor.shape.count == 3, tensor.shape != parameter.shape else { return nil }
    let old = Int(Double(tensor.shape[1] - 1).squareRoot().rounded())
    return old > 0 && 1 + old * old == tensor.shape[1] ? Grids(from: old, to: side) : nil
  }

  /// `parameter` as it is for a grid of another side.
  func tensor(_ parameter: Manifest.Tensor, of side: Int) -> Manifest.Tensor {
    var tensor = parameter
    if tensor.shape.count == 3 { tensor.shape[1] = 1 + side * side }
    return tensor
  }

  /// What `parameter` is made from where the file has a fixed table for another grid, and so names only the grid.
  func fixedTable(for parameter: Manifest.Tensor) -> (values: [Float], grids: Grids)? {
    guard let side = sides[parameter.name], let fixedSide, fixedSide != side, let width = parameter.shape.last else { return nil }
    let table = PositionTable.elements(width: width, grid: fixedSide, classToken: true)
    return (PositionResizing.resized(table, from: fixedSide, to: side), Grids(from: fixedSide, to: side))
  }
}
