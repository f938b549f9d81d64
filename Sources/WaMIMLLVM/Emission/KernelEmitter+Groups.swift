import CLLVM
import WaMIMCompiler
import WaMIMGraph

/// Where the kernel that sorts tokens by windows keeps its tables of integers in the workspace.
struct WindowGroupsWorkspace {
  /// For each window, where its next token goes; for each token, its window and its code.
  let counters, windows, codes: WorkspaceRows
  /// Elements in all.
  let count: Int

  init(count tokens: Int, _ cut: WindowCut) {
    var cursor = WorkspaceCursor()
    counters = cursor.take(rows: 1, stride: cut.windowsPerSide * cut.windowsPerSide)
    windows = cursor.take(rows: 1, stride: tokens)
    codes = cursor.take(rows: 1, stride: tokens)
    count = cursor.used
  }
}

extension KernelEmitter {
  /// Emits the cells of a grid `side` times as fine that make up `count` cells, quarter by quarter.
  func emitFinerIndices(count: Int, grid: Int, side: Int, source: Address, result: Address) {
    builder.loop(count: count) { i, _ in
      let (row, column) = cell(at: builder.advance(source, by: i), grid: grid)
      let start = builder.advance(result, by: builder.multiplyIntegers(i, builder.index(side * side)))
      builder.loop(count: side * side) { index, _ in
        let inner = quarterCell(index, side: side)
        let line = builder.addIntegers(builder.multiplyIntegers(row, builder.index(side)), inner.row)
        let finer = builder.addIntegers(
          builder.multiplyIntegers(line, builder.index(grid * side)),
          builder.addIntegers(builder.multiplyIntegers(column, builder.index(side)), inner.column))
        builder.store(builder.int32(fromIndex: finer), builder.advance(start, by: index))
        return []
      }
      return []
    }
  }

  /// The row and the column that `QuarterOrder` has for a cell of a square: every other bit of its index.
  private func quarterCell(_ index: Value, side: Int) -> (row: Value, column: Value) {
    var (row, column) = (builder.index(0), builder.index(0))
    for bit in 0..<side.trailingZeroBitCount {
      func bitOfIndex(_ position: Int) -> Value {
        let moved = builder.and(builder.shiftRightUnsigned(index, builder.index(position)), builder.index(1))
        return builder.shiftLeft(moved, builder.index(bit))
      }
      row = builder.or(row, bitOfIndex(2 * bit))
      column = builder.or(column, bitOfIndex(2 * bit + 1))
    }
    return (row, column)
  }

  /// The row and the column of the cell whose index is at `address`.
  private func cell(at address: Address, grid: Int) -> (row: Value, column: Value) {
    let index = loadIndex(address)
    return (builder.divideIntegers(index, builder.index(grid)), builder.remainder(index, builder.index(grid)))
  }

  private func loadIndex(_ address: Address) -> Value { builder.index(fromInt32: builder.load(builder.int32, address)) }

  private func storeIndex(_ index: Value, _ address: Address) { builder.store(builder.int32(fromIndex: index), address) }

  /// Emits the sorting of `count` tokens by windows: windows are counted, then each token goes behind those of its window before it.
  func emitWindowGroups(count: Int, _ cut: WindowCut, source: Address, result: Address, workspace: Address) {
    let layout = WindowGroupsWorkspace(count: count, cut)
    let (counters, windows, codes) = (
      builder.advance(workspace, by: layout.counters.offset), builder.advance(workspace, by: layout.windows.offset),
      builder.advance(workspace, by: layout.codes.offset)
    )
    let windowCount = cut.windowsPerSide * cut.windowsPerSide
    builder.loop(count: windowCount) { window, _ in
      storeIndex(builder.index(0), builder.advance(counters, by: window))
      return []
    }
    builder.loop(count: count) { token, _ in
      let (window, code) = window(cell(at: builder.advance(source, by: token), grid: cut.grid), cut)
      storeIndex(window, builder.advance(windows, by: token))
      storeIndex(code, builder.advance(codes, by: token))
      let counter = builder.advance(counters, by: window)
      storeIndex(builder.addIntegers(loadIndex(counter), builder.index(1)), counter)
      return []
    }
    emitEnds(count: count, windowCount: windowCount, counters: counters, ends: builder.advance(result, by: count))
    builder.loop(count: count) { token, _ in
      let counter = builder.advance(counters, by: loadIndex(builder.advance(windows, by: token)))
      let position = loadIndex(counter)
      storeIndex(builder.addIntegers(position, builder.index(1)), counter)
      storeIndex(token, builder.advance(result, by: position))
      storeIndex(
        loadIndex(builder.advance(codes, by: token)), builder.advance(builder.advance(result, by: 2 * count), by: position))
      return []
    }
  }

  /// The window of a token, and its code there.
  private func window(_ cell: (row: Value, column: Value), _ cut: WindowCut) -> (window: Value, code: Value) {
    let (row, column) = (
      builder.addIntegers(cell.row, builder.index(cut.lead)), builder.addIntegers(cell.column, builder.index(cut.lead))
    )
    let side = builder.index(cut.window)
    func joined(_ row: Value, _ column: Value, _ width: Int) -> Value {
      builder.addIntegers(builder.multiplyIntegers(row, builder.index(width)), column)
    }
    return (
      joined(builder.divideIntegers(row, side), builder.divideIntegers(column, side), cut.windowsPerSide),
      joined(builder.remainder(row, side), builder.remainder(column, side), 2 * cut.window - 1)
    )
  }

  /// Replaces the number of tokens of each window by where its first one goes, and writes where the groups end.
  private func emitEnds(count: Int, windowCount: Int, counters: Address, ends: Address) {
    let last = builder.index(count - 1)
    let start = [builder.index(0), builder.index(0)]
    let carried = builder.loop(from: builder.index(0), to: builder.index(windowCount), carrying: start) { window, carried in
      let counter = builder.advance(counters, by: window)
      let tokens = loadIndex(counter)
      let end = builder.addIntegers(carried[0], tokens)
      storeIndex(carried[0], counter)
      // Behind the last group the end is that of the last group.
      storeIndex(end, builder.advance(ends, by: builder.minimumInteger(carried[1], last)))
      return [end, builder.addIntegers(carried[1], builder.minimumInteger(tokens, builder.index(1)))]
    }
    builder.loop(from: carried[1], to: builder.index(count)) { group, _ in
      storeIndex(builder.index(count), builder.advance(ends, by: group))
      return []
    }
  }
}
