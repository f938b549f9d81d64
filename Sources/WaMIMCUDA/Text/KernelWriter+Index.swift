import WaMIMCompiler
import WaMIMGraph

extension KernelWriter {
  /// Work on tables of indices: a thread for each element, but where rows are added up.
  func function(of index: IndexKernel) -> CUDAFunction {
    switch index {
    case .rank(let rows, let width): rank(rows, width)
    case .invertPermutation(let rows, let width): inverse(rows, width)
    case .scatterAdd(let scatter): scatterAdd(scatter)
    case .finerIndices(let count, let grid, let side, let offset): finerIndices(count, grid, side, offset)
    case .windowGroups(let count, let cut, let offset, _): windowGroups(count, cut, offset)
    }
  }

  /// A function with a thread for each of `count` elements of a unit.
  private func elementByElement(_ purpose: String, _ count: Int, _ write: (inout SourceText) -> Void) -> CUDAFunction {
    function(purpose, blocks: (units * count).dividedUp(by: Self.threads)) { source in
      source.line("const int element = block * \(Self.threads) + threadIdx.x;")
      source.line("if (element >= \(units * count)) return;")
      source.line("const int unit = element / \(count), at = element % \(count);")
      write(&source)
    }
  }

  private func pointer(_ argument: Int, offset: Int = 0) -> String {
    "a\(argument) + " + affine(offset, [kernel.arguments[argument].unitStride], ["unit"])
  }

  private func rank(_ rows: Int, _ width: Int) -> CUDAFunction {
    elementByElement("rank", rows * width) { source in
      source.line("const int c = at % \(width);")
      source.line("const float* row = \(pointer(0)) + at / \(width) * \(width);")
      source.line("int smaller = 0;")
      source.loop("other", below: "\(width)") { source in
        source.line("smaller += row[other] < row[c] || (row[other] == row[c] && other < c);")
      }
      source.line("(\(pointer(1)))[at] = smaller;")
    }
  }

  private func inverse(_ rows: Int, _ width: Int) -> CUDAFunction {
    elementByElement("invert_permutation", rows * width) { source in
      source.line("const int number = (\(pointer(0)))[at];")
      source.line("(\(pointer(1)))[at / \(width) * \(width) + number] = at % \(width);")
    }
  }

  /// A thread for up to eight elements of a row of the result, which adds the rows that go there in their order.
  ///
  /// Most of the work is to look for these rows, which is the same for all elements.
  private func scatterAdd(_ scatter: ScatterKernel) -> CUDAFunction {
    let columns = (1...8).last { scatter.width.isMultiple(of: $0) } ?? 1
    let threads = scatter.width / columns
    return elementByElement("scatter_add", scatter.rows * threads) { source in
      source.line("const int row = at / \(threads), c = at % \(threads);")
      source.line("const int* indices = \(pointer(1));")
      source.line("float sums[\(columns)] = {};")
      source.loop("i", below: "\(scatter.samples * scatter.count)") { source in
        source.line("if (indices[i] != row) continue;")
        let sample = scatter.samples == 1 ? "" : "i / \(scatter.count) * \(scatter.sampleStride) + "
        let i = scatter.samples == 1 ? "i" : "i % \(scatter.count)"
        source.line("const long long from = \(scatter.sourceOffset) + \(sample)\(i) * \(scatter.rowStride) + c;")
        for k in 0..<columns {
          source.line("sums[\(k)] += \(number(0, "(\(pointer(0)))[from + \(k * threads)]"));")
        }
      }
      for k in 0..<columns {
        source.line("(\(pointer(2)))[row * \(scatter.width) + c + \(k * threads)] = \(converted("sums[\(k)]", for: 2));")
      }
    }
  }

  private func finerIndices(_ count: Int, _ grid: Int, _ side: Int, _ offset: Int) -> CUDAFunction {
    elementByElement("finer_indices", count * side * side) { source in
      source.line("const int cell = (\(pointer(0, offset: offset)))[at / \(side * side)];")
      source.line("int row, column;")
      source.line("quarter_cell(at % \(side * side), row, column);")
      source.line(
        "(\(pointer(1)))[at] = (cell / \(grid) * \(side) + row) * \(grid * side) + cell % \(grid) * \(side) + column;")
    }
  }

  /// A thread for each token: it counts the tokens that come before its own, and the ends of groups before its own group's.
  private func windowGroups(_ count: Int, _ cut: WindowCut, _ offset: Int) -> CUDAFunction {
    func window(_ cell: String) -> String {
      "(\(cell) / \(cut.grid) + \(cut.lead)) / \(cut.window) * \(cut.windowsPerSide) + (\(cell) % \(cut.grid) + \(cut.lead)) / \(cut.window)"
    }
    return elementByElement("window_groups", count) { source in
      source.line("const int* cells = \(pointer(0, offset: offset));")
      source.line("int* order = \(pointer(1));")
      source.line("const int cell = cells[at], window = \(window("cell"));")
      source.line("int before = 0, end = 0, group = 0, groups = 0;")
      source.line("bool is_first = true;")
      source.loop("other", below: "\(count)") { source in
        source.line("const int its = \(window("cells[other]"));")
        source.line("before += its < window || (its == window && other < at);")
        source.line("end += its <= window;")
        source.line("is_first = is_first && !(its == window && other < at);")
      }
      source.line("order[before] = at;")
      source.line(
        "order[\(2 * count) + before] = (cell / \(cut.grid) + \(cut.lead)) % \(cut.window) * \(2 * cut.window - 1) + "
          + "(cell % \(cut.grid) + \(cut.lead)) % \(cut.window);")
      source.line("// Windows without a token make no group.")
      source.loop("other_window", below: "\(cut.windowsPerSide * cut.windowsPerSide)") { source in
        source.line("bool has_tokens = false;")
        source.line("for (int i = 0; i < \(count); ++i) has_tokens = has_tokens || \(window("cells[i]")) == other_window;")
        source.line("groups += has_tokens;")
        source.line("group += has_tokens && other_window < window;")
      }
      source.line("if (is_first) order[\(count) + group] = end;")
      source.line("if (at >= groups) order[\(count) + at] = \(count);")
    }
  }
}
