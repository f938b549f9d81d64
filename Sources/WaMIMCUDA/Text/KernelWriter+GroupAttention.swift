import WaMIMCompiler

extension KernelWriter {
  /// Warps of a block, whose rows of scores lie in shared memory.
  private static func warps(_ shape: GroupAttentionShape) -> Int { shape.largestGroup <= 512 ? 4 : 1 }

  private func pointer(_ rows: TokenRows, _ shape: GroupAttentionShape) -> String {
    let unit = kernel.arguments[rows.argument].unitStride
    return "a\(rows.argument) + " + affine(rows.offset, [unit, shape.headWidth], ["unit", "head"])
  }

  /// A function with a warp for each token of each head, numbered by its place in the order of groups.
  private func tokenByToken(
    _ purpose: String, _ attention: GroupAttentionKernel, rows: [String], _ write: (inout SourceText) -> Void
  ) -> CUDAFunction {
    let shape = attention.shape
    let (tokens, warps) = (shape.tokenCount, Self.warps(shape))
    let count = tokens * shape.heads * units
    return function(purpose, blocks: count.dividedUp(by: warps), threads: 32 * warps) { source in
      source.line("__shared__ float \(rows.map { "shared_\($0)[\(warps)][\(shape.largestGroup)]" }.joined(separator: ", "));")
      source.line("const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;")
      source.line("const int row = block * \(warps) + warp;")
      source.line("if (row >= \(count)) return;")
      source.line(
        "const int position = row % \(tokens), head = row / \(tokens) % \(shape.heads), unit = row / \(tokens * shape.heads);")
      for name in rows { source.line("float* \(name) = shared_\(name)[warp];") }
      writeGroups(attention, to: &source)
      source.line("int begin, end;")
      source.line("find_group(order + \(tokens), position, begin, end);")
      source.line("const int token = order[position];")
      write(&source)
    }
  }

  /// Writes pointers to the order of tokens, behind which the ends of groups come, and to their codes.
  private func writeGroups(_ attention: GroupAttentionKernel, to source: inout SourceText) {
    let groups = attention.groups
    source.line("const int* order = a\(groups) + \(kernel.arguments[groups].unitStride) * unit;")
    source.line("const int* codes = order + \(2 * attention.shape.tokenCount);")
  }

  /// The bias for a query and a key, by their codes.
  private func bias(_ attention: GroupAttentionKernel, query: String, key: String) -> String {
    let shape = attention.shape
    let element = "a\(attention.bias)[(\(shape.biasCount / 2) + \(query) - \(key)) * \(shape.heads) + head]"
    return number(attention.bias, element)
  }

  /// Writes the product of a row in this thread's hands with another one, as `name`.
  private func writeProduct(
    _ name: String, _ shape: GroupAttentionShape, _ left: TokenRows, _ leftToken: String, _ right: TokenRows, _ rightToken: String,
    to source: inout SourceText
  ) {
    source.line("float \(name) = 0.0f;")
    source.loop("c", below: "\(shape.headWidth)") { source in
      source.line(
        "\(name) = multiply_add(\(element(left, leftToken, shape)), \(element(right, rightToken, shape)), \(name));")
    }
  }

  private func element(_ rows: TokenRows, _ token: String, _ shape: GroupAttentionShape) -> String {
    number(rows.argument, "(\(pointer(rows, shape)))[\(token) * \(rows.rowStride) + c]")
  }

  /// Writes one result's channels of `token`: the group's rows weighted by `weights`.
  private func writeSums(
    _ target: TokenRows, _ weights: String, _ rows: TokenRows, scale: Float, _ shape: GroupAttentionShape,
    to source: inout SourceText
  ) {
    source.loop("c", from: "lane", below: "\(shape.headWidth)", by: "32") { source in
      source.line("float sum = 0.0f;")
      source.loop("j", from: "begin", below: "end") { source in
        source.line("sum = multiply_add(\(weights)[j - begin], \(element(rows, "order[j]", shape)), sum);")
      }
      source.line("assign((\(pointer(target, shape)))[token * \(target.rowStride) + c], sum * \(scale.cuda));")
    }
  }

  /// Writes the probabilities of a query's group into `weights`.
  private func writeProbabilities(_ attention: GroupAttentionKernel, to source: inout SourceText) {
    let shape = attention.shape
    source.line("float largest = -infinity(), total = 0.0f;")
    source.loop("j", from: "begin + lane", below: "end", by: "32") { source in
      writeProduct("score", shape, attention.query, "token", attention.key, "order[j]", to: &source)
      source.line(
        "score = multiply_add(score, \(shape.scale.cuda), \(bias(attention, query: "codes[position]", key: "codes[j]")));")
      source.line("weights[j - begin] = score;")
      source.line("largest = larger(largest, score);")
    }
    source.line("largest = warp_max(largest);")
    source.loop("j", from: "lane", below: "end - begin", by: "32") { source in
      source.line("const float power = exponential(weights[j] - largest);")
      source.line("weights[j] = power;")
      source.line("total += power;")
    }
    source.line("const float share = 1.0f / warp_sum(total);")
    source.line("for (int j = lane; j < end - begin; j += 32) weights[j] *= share;")
  }

  /// Attention within groups.
  func function(of attention: GroupAttentionKernel) -> CUDAFunction {
    tokenByToken("group_attention", attention, rows: ["weights"]) { source in
      writeProbabilities(attention, to: &source)
      source.line("warp_barrier();")
      writeSums(attention.result, "weights", attention.value, scale: 1, attention.shape, to: &source)
    }
  }

  // MARK: Gradients

  /// The gradients: first those of queries, which leave statistics of their rows, then of keys and values, then of biases.
  func functions(of gradient: GroupAttentionGradientKernel) -> [CUDAFunction] {
    let wantsKeys = gradient.keyGradient != nil || gradient.valueGradient != nil
    return [queryGradient(gradient)] + (wantsKeys ? [keyGradient(gradient)] : [])
      + (gradient.biasGradient.map { [biasGradient(gradient, $0)] } ?? [])
  }

  /// Where the statistics of a unit's and head's queries begin, by the queries' places in the order.
  private func writeStatistics(_ gradient: GroupAttentionGradientKernel, to source: inout SourceText) {
    let row = RowStatistics.count * gradient.attention.shape.tokenCount
    let start = affine(workspace.kept, [workspace.unitCount, row], ["unit", "head"])
    source.line("float* statistics = a\(gradient.attention.workspace) + \(start);")
  }

  private func queryGradient(_ gradient: GroupAttentionGradientKernel) -> CUDAFunction {
    let (attention, shape) = (gradient.attention, gradient.attention.shape)
    return tokenByToken("query_gradient", attention, rows: ["weights", "gradients"]) { source in
      writeStatistics(gradient, to: &source)
      writeProbabilities(attention, to: &source)
      source.line("float mean = 0.0f;")
      source.loop("j", from: "begin + lane", below: "end", by: "32") { source in
        writeProduct("product", shape, attention.result, "token", attention.value, "order[j]", to: &source)
        source.line("gradients[j - begin] = product;")
        source.line("mean = multiply_add(weights[j - begin], product, mean);")
      }
      source.line("mean = warp_sum(mean);")
      source.line(
        "for (int j = lane; j < end - begin; j += 32) gradients[j] = weights[j] * (gradients[j] - mean);")
      source.block("if (lane == 0)") { source in
        for (number, name) in ["largest", "share", "mean"].enumerated() {
          source.line("statistics[\(RowStatistics.count) * position + \(number)] = \(name);")
        }
      }
      guard let target = gradient.queryGradient else { return }
      source.line("warp_barrier();")
      writeSums(target, "gradients", attention.key, scale: shape.scale, shape, to: &source)
    }
  }

  /// Writes `weight` and `difference`, the gradient of the score, of a query and a key, by their places in the order.
  private func writePair(_ gradient: GroupAttentionGradientKernel, query: String, key: String, to source: inout SourceText) {
    let (attention, shape) = (gradient.attention, gradient.attention.shape)
    writeProduct("score", shape, attention.query, "order[\(query)]", attention.key, "order[\(key)]", to: &source)
    source.line(
      "score = multiply_add(score, \(shape.scale.cuda), \(bias(attention, query: "codes[\(query)]", key: "codes[\(key)]")));")
    writeProduct("product", shape, attention.result, "order[\(query)]", attention.value, "order[\(key)]", to: &source)
    source.line("const float* of_query = statistics + \(RowStatistics.count) * \(query);")
    source.line("const float weight = exponential(score - of_query[0]) * of_query[1];")
    source.line("const float difference = weight * (product - of_query[2]);")
  }

  private func keyGradient(_ gradient: GroupAttentionGradientKernel) -> CUDAFunction {
    let (attention, shape) = (gradient.attention, gradient.attention.shape)
    return tokenByToken("key_gradient", attention, rows: ["weights", "gradients"]) { source in
      writeStatistics(gradient, to: &source)
      source.loop("j", from: "begin + lane", below: "end", by: "32") { source in
        writePair(gradient, query: "j", key: "position", to: &source)
        source.line("weights[j - begin] = weight;")
        source.line("gradients[j - begin] = difference;")
      }
      source.line("warp_barrier();")
      if let target = gradient.valueGradient {
        writeSums(target, "weights", attention.result, scale: 1, shape, to: &source)
      }
      if let target = gradient.keyGradient {
        writeSums(target, "gradients", attention.query, scale: shape.scale, shape, to: &source)
      }
    }
  }

  /// A warp for each head of a unit: query after query, each key of whose group has a bias of its own.
  private func biasGradient(_ gradient: GroupAttentionGradientKernel, _ argument: Int) -> CUDAFunction {
    let (attention, shape) = (gradient.attention, gradient.attention.shape)
    return function("bias_gradient", blocks: units * shape.heads, threads: 32) { source in
      source.line("__shared__ float sums[\(shape.biasCount)];")
      source.line("const int lane = threadIdx.x, head = block % \(shape.heads), unit = block / \(shape.heads);")
      writeGroups(attention, to: &source)
      writeStatistics(gradient, to: &source)
      source.line("for (int b = lane; b < \(shape.biasCount); b += 32) sums[b] = 0.0f;")
      source.loop("position", below: "\(shape.tokenCount)") { source in
        source.line("warp_barrier();")
        source.line("int begin, end;")
        source.line("find_group(order + \(shape.tokenCount), position, begin, end);")
        source.loop("j", from: "begin + lane", below: "end", by: "32") { source in
          writePair(gradient, query: "position", key: "j", to: &source)
          source.line("sums[\(shape.biasCount / 2) + codes[position] - codes[j]] += difference;")
        }
      }
      source.line("warp_barrier();")
      source.loop("b", from: "lane", below: "\(shape.biasCount)", by: "32") { source in
        let stride = kernel.arguments[argument].unitStride
        source.line("assign(a\(argument)[unit * \(stride) + b * \(shape.heads) + head], sums[b]);")
      }
    }
  }
}
