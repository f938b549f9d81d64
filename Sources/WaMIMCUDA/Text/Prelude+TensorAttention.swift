extension Prelude {
  /// Pieces of attention on tensor cores, for rows of bf16 numbers.
  static let tensorAttention = """
    // Two numbers that are bf16 ones, or the nearest below, as a pair.
    DEVICE unsigned upper_halves(float x, float y) { return (unsigned)bits_of(x) >> 16 | ((unsigned)bits_of(y) & 0xffff0000u); }
    DEVICE float lower_half(float x) { return x - of_bits(bits_of(x) & 0xffff0000u); }

    // `multiply_rows` of matrices of bf16 numbers.
    template <int threads, int rows, int count, int width, int step>
    DEVICE void multiply_rows_by_tensors(
        Tile<rows, count>& products, const Tile<rows, width>& left, const bf16* right, int stride, Tile<step, width>& tile) {
      const int group = threadIdx.x % 32 / 4, member = threadIdx.x % 4;
      for (int first = 0; first < count; first += step) {
        block_barrier();
        load<threads>(tile, right, stride, first, count);
        block_barrier();
        for (int t = threadIdx.x / 32; t < rows / 16 * (step / 8); t += threads / 32) {
          const int row = t % (rows / 16) * 16 + group, column = t / (rows / 16) * 8;
          float sums[4] = {};
    #pragma unroll
          for (int k = 0; k < width; k += 16) {
            unsigned l[4], r[2];
    #pragma unroll
            for (int p = 0; p < 4; ++p) {
              const float* from = &left.at[row + p % 2 * 8][k + p / 2 * 8 + 2 * member];
              l[p] = upper_halves(from[0], from[1]);
            }
    #pragma unroll
            for (int p = 0; p < 2; ++p) {
              const float* from = &tile.at[column + group][k + p * 8 + 2 * member];
              r[p] = upper_halves(from[0], from[1]);
            }
            add_tensor_products(sums, l, r);
          }
    #pragma unroll
          for (int p = 0; p < 4; ++p) {
            const int j = first + column + 2 * member + p % 2;
            if (j < count) products.at[row + p / 2 * 8][j] = sums[p];
          }
        }
      }
      block_barrier();
    }

    // `store_weighted_sums` of bf16 rows. A weight is the sum of two bf16 numbers, so that it keeps 16 bits.
    template <int threads, int rows, int count, int width, int step, typename R>
    DEVICE void store_sums_weighted_by_tensors(
        R* result, int result_stride, int first_row, int wanted, const Tile<rows, count>& weights, const bf16* right, int stride,
        Tile<step, width>& tile, float scale) {
      const int group = threadIdx.x % 32 / 4, member = threadIdx.x % 4, warp = threadIdx.x / 32, warps = threads / 32;
      const int tiles = rows / 16 * (width / 8), each = (tiles + warps - 1) / warps;
      float sums[each][4] = {};
      for (int first = 0; first < count; first += step) {
        block_barrier();
        load<threads>(tile, right, stride, first, count);
        block_barrier();
    #pragma unroll
        for (int n = 0; n < each; ++n) {
          const int t = warp + n * warps, row = t % (rows / 16) * 16 + group, column = t / (rows / 16) * 8 + group;
          if (t >= tiles) continue;
          for (int k = 0; k < step && first + k < count; k += 16) {
            unsigned high[4], low[4], r[2];
    #pragma unroll
            for (int p = 0; p < 4; ++p) {
              const int i = row + p % 2 * 8, j = first + k + p / 2 * 8 + 2 * member;
              const float x = j < count ? weights.at[i][j] : 0.0f, y = j + 1 < count ? weights.at[i][j + 1] : 0.0f;
              high[p] = upper_halves(x, y);
              low[p] = upper_halves(lower_half(x), lower_half(y));
            }
    #pragma unroll
            for (int p = 0; p < 2; ++p) {
              const int term = k + p * 8 + 2 * member;
              r[p] = upper_halves(tile.at[term][column], tile.at[term + 1][column]);
            }
            add_tensor_products(sums[n], low, r);
            add_tensor_products(sums[n], high, r);
          }
        }
      }
    #pragma unroll
      for (int n = 0; n < each; ++n) {
        const int t = warp + n * warps;
        if (t >= tiles) continue;
    #pragma unroll
        for (int p = 0; p < 4; ++p) {
          const int row = first_row + t % (rows / 16) * 16 + group + p / 2 * 8, c = t / (rows / 16) * 8 + 2 * member + p % 2;
          if (row < wanted) assign(result[row * result_stride + c], sums[n][p] * scale);
        }
      }
    }
    """
}
