/// What all kernels share: the few things that CUDA's headers would bring, functions of numbers, reductions, and pieces of attention.
///
/// With it clang makes PTX without any file of NVIDIA's; nvcc takes the same text.
enum Prelude {
  static let text = [language, functions, products, reductions, attention, tensorAttention].joined(separator: "\n")

  private static let language = """
    #if defined(__clang__)
    #include <__clang_cuda_builtin_vars.h>
    #define __device__ __attribute__((device))
    #define __global__ __attribute__((global))
    #define __shared__ __attribute__((shared))
    #define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
    #define DEVICE static __inline__ __attribute__((always_inline, device))
    // For closures: what they capture would lie in local memory.
    #define INLINED __attribute__((always_inline))
    // As assembly, since LLVM 14 takes it that its own barriers leave shared memory that only one function names as it is, and
    // moves loads across them.
    DEVICE void block_barrier() { asm volatile("bar.sync 0;" ::: "memory"); }
    DEVICE void warp_barrier() { asm volatile("bar.warp.sync 0xffffffff;" ::: "memory"); }
    DEVICE float of_other_lane(float x, int mask) { return __nvvm_shfl_sync_bfly_f32(0xffffffffu, x, mask, 31); }
    DEVICE int bits_of(float x) { return __nvvm_bitcast_f2i(x); }
    DEVICE float of_bits(int x) { return __nvvm_bitcast_i2f(x); }
    DEVICE float multiply_add(float x, float y, float z) { return __nvvm_fma_rn_f(x, y, z); }
    DEVICE float square_root(float x) { return __nvvm_sqrt_rn_f(x); }
    DEVICE float nearest_integer(float x) { return __builtin_rintf(x); }
    DEVICE float magnitude(float x) { return __nvvm_fabs_f(x); }
    #else
    #define DEVICE static __forceinline__ __device__
    #define INLINED
    DEVICE void block_barrier() { __syncthreads(); }
    DEVICE void warp_barrier() { __syncwarp(); }
    DEVICE float of_other_lane(float x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
    DEVICE int bits_of(float x) { return __float_as_int(x); }
    DEVICE float of_bits(int x) { return __int_as_float(x); }
    DEVICE float multiply_add(float x, float y, float z) { return __fmaf_rn(x, y, z); }
    DEVICE float square_root(float x) { return __fsqrt_rn(x); }
    DEVICE float nearest_integer(float x) { return rintf(x); }
    DEVICE float magnitude(float x) { return fabsf(x); }
    #endif
    #define ALIGNED(bytes) __attribute__((aligned(bytes)))
    // Threads of a block, and how many blocks a processor shall have registers for.
    #define KERNEL(...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__)

    // Where the arrays of kernels that run at the same time lie.
    template <int count> struct Addresses { void* at[count]; };
    // Address `number` of such a table, which is the parameter called `name` in PTX. Where C++ picks it by a number that is only known
    // when it runs, LLVM may copy the table to local memory.
    #if defined(__clang__)
    #define ADDRESS(type, name, number) ({ \\
      unsigned long long found; \\
      asm("{.reg .b64 %%at; mov.b64 %%at, " name "; add.s64 %%at, %%at, %1; ld.param.b64 %0, [%%at]; cvta.to.global.u64 %0, %0;}" \\
          : "=l"(found) : "l"(8ull * (number))); \\
      (type*)(__attribute__((address_space(1))) type*)found; })
    #else
    #define ADDRESS(type, name, number) ((type*)addresses.at[number])
    #endif

    // The upper half of a float32.
    struct bf16 { unsigned short bits; };

    DEVICE float number(float x) { return x; }
    DEVICE float number(int x) { return (float)x; }
    DEVICE float number(bf16 x) { return of_bits((unsigned)x.bits << 16); }
    DEVICE int rounded_to_int(float x) { return (int)nearest_integer(x); }
    DEVICE bf16 rounded_to_bf16(float x) {
      const unsigned bits = bits_of(x);
      const unsigned rounded = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
      bf16 result;
      result.bits = x == x ? rounded : bits >> 16 | 0x40u;
      return result;
    }
    DEVICE void assign(float& to, float x) { to = x; }
    DEVICE void assign(bf16& to, float x) { to = rounded_to_bf16(x); }
    """

  private static let functions = """
    DEVICE float infinity() { return of_bits(0x7f800000); }
    DEVICE float not_a_number() { return of_bits(0x7fc00000); }
    DEVICE float larger(float x, float y) { return x > y ? x : y; }
    DEVICE float smaller(float x, float y) { return x < y ? x : y; }
    DEVICE float with_sign_of(float x, float y) { return of_bits((bits_of(x) & 0x7fffffff) | (bits_of(y) & 0x80000000)); }

    // Coefficients are minimax fits of the relative error, the constant one first.
    template <int count> DEVICE float polynomial(const float (&coefficients)[count], float x) {
      float sum = coefficients[count - 1];
    #pragma unroll
      for (int i = count - 2; i >= 0; --i) sum = multiply_add(sum, x, coefficients[i]);
      return sum;
    }

    // e to the power of x.
    DEVICE float exponential(float x) {
      // Beyond the limits the result rounds to 0 and overflows to infinity; what is not a number passes both.
      x = x < -104.0f ? -104.0f : x > 89.0f ? 89.0f : x;
      const float count = nearest_integer(x * 1.4426950408889634f);
      const float rest = multiply_add(count, -1.42860677e-6f, multiply_add(count, -0.693145751953125f, x));
      const float series = polynomial({0.49999994f, 0.1666652f, 0.04166839f, 0.008368789f, 0.0013814926f}, rest);
      const float fraction = multiply_add(rest * rest, series, rest) + 1.0f;
      // The power of two in two factors, each of them a normal number.
      const int exponent = (int)count, half = exponent >> 1;
      return fraction * of_bits((half + 127) << 23) * of_bits((exponent - half + 127) << 23);
    }

    // The natural logarithm.
    DEVICE float logarithm(float x) {
      const bool is_subnormal = x < 1.17549435e-38f;
      const int bits = bits_of(is_subnormal ? x * 8388608.0f : x);
      // x is (1 + rest) times a power of two, with 1 + rest from sqrt(1/2) to sqrt(2).
      const int exponent = (bits - 0x3f3504f3) >> 23;
      const float rest = of_bits(bits - (exponent << 23)) - 1.0f;
      const float count = (float)exponent + (is_subnormal ? -23.0f : 0.0f);
      const float square = rest * rest;
      const float series = polynomial(
          {0.33333313f, -0.25000012f, 0.20002115f, -0.16667937f, 0.14219584f, -0.12406718f, 0.11889123f, -0.11668921f,
           0.06735901f}, rest);
      float sum = multiply_add(rest * square, series, count * 1.42860677e-6f);
      sum = multiply_add(square, -0.5f, sum);
      sum = multiply_add(count, 0.693145751953125f, rest + sum);
      return x == infinity() ? x : x > 0.0f ? sum : x == 0.0f ? -infinity() : not_a_number();
    }

    DEVICE float hyperbolic_tangent(float x) {
      const float square = x * x, size = smaller(magnitude(x), 10.0f);
      const float series = polynomial({-0.3333328f, 0.1333144f, -0.053739525f, 0.020638436f, -0.005704228f}, square);
      const float near = multiply_add(x * square, series, x);
      // From 10 on the result rounds to 1.
      const float far = 1.0f - 2.0f / (exponential(size + size) + 1.0f);
      return x == x ? with_sign_of(size < 0.625f ? near : far, x) : x;
    }

    DEVICE float error_function(float x) {
      const float size = smaller(magnitude(x), 4.0f);
      const float near = multiply_add(x, polynomial(
          {0.12837917f, -0.37612632f, 0.112836875f, -0.02685894f, 0.005199907f, -0.0008130013f, 8.316776e-05f}, x * x), x);
      // Farther out, 1 less e to a fit of the complement's logarithm; from 4 on the result rounds to 1.
      const float far = 1.0f - exponential(polynomial(
          {0.00017468314f, -1.1295149f, -0.6333469f, -0.10828007f, 0.025119416f, -0.0041710585f, 0.00043446166f,
           -2.1094962e-05f}, size));
      return x == x ? (size < 0.925f ? near : with_sign_of(far, x)) : x;
    }

    // The sine and cosine of pi times a number from 0 to 1/4.
    DEVICE float sine_of_eighth(float x) {
      const float square = x * x;
      return multiply_add(
          x, 3.1415927f, x * (square * polynomial({-5.167709f, 2.5498052f, -0.58941877f}, square) + -8.742278e-08f));
    }
    DEVICE float cosine_of_eighth(float x) {
      return polynomial({1.0f, -4.934802f, 4.0587077f, -1.3350506f, 0.23136423f}, x * x);
    }
    // The sine of pi times a number from 0 to 1/2.
    DEVICE float sine_of_quarter(float x) { return x <= 0.25f ? sine_of_eighth(x) : cosine_of_eighth(0.5f - x); }

    DEVICE float sine_pi(float x) {
      const float size = magnitude(x), rest = size - 2.0f * nearest_integer(size * 0.5f), turn = magnitude(rest);
      const float sine = sine_of_quarter(turn <= 0.5f ? turn : 1.0f - turn);
      return ((rest < 0.0f ? -sine : sine) + 0.0f) * with_sign_of(1.0f, x);
    }
    DEVICE float cosine_pi(float x) {
      const float turn = magnitude(x - 2.0f * nearest_integer(x * 0.5f));
      return turn <= 0.5f ? sine_of_quarter(0.5f - turn) : -sine_of_quarter(turn - 0.5f);
    }
    """

  private static let products = """
    // Numbers that follow each other along a sum, two in each word.
    struct ALIGNED(16) bf16x8 { unsigned pairs[4]; };
    DEVICE bf16x8 eight(const bf16* from) { return *(const bf16x8*)from; }
    DEVICE unsigned pair(bf16 x, bf16 y) { return x.bits | (unsigned)y.bits << 16; }

    // Adds the products of 16 rows and 8 columns over 16 terms, of which each thread of a warp has a share.
    DEVICE void add_tensor_products(float (&sums)[4], const unsigned (&left)[4], const unsigned (&right)[2]) {
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
          : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
          : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
    }
    """

  private static let reductions = """
    // Sums and maxima of what the threads of a warp or a block have, always in the same order; all threads get them.
    DEVICE float warp_sum(float x) {
    #pragma unroll
      for (int mask = 16; mask > 0; mask >>= 1) x += of_other_lane(x, mask);
      return x;
    }
    DEVICE float warp_max(float x) {
    #pragma unroll
      for (int mask = 16; mask > 0; mask >>= 1) x = larger(x, of_other_lane(x, mask));
      return x;
    }
    DEVICE float* warp_parts(float x) {
      __shared__ float parts[32];
      block_barrier();
      if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
      block_barrier();
      return parts;
    }
    DEVICE float block_sum(float x) {
      const float* parts = warp_parts(warp_sum(x));
      float sum = parts[0];
      for (int warp = 1; warp < blockDim.x / 32; ++warp) sum += parts[warp];
      return sum;
    }
    DEVICE float block_max(float x) {
      const float* parts = warp_parts(warp_max(x));
      float result = parts[0];
      for (int warp = 1; warp < blockDim.x / 32; ++warp) result = larger(result, parts[warp]);
      return result;
    }
    """

  private static let attention = """
    // Some rows of a matrix in shared memory; rows beyond the last one are zero. The odd length of rows spreads columns over banks.
    template <int rows, int width> struct Tile { float at[rows][width + 1]; };
    template <int threads, int rows, int width, typename E>
    DEVICE void load(Tile<rows, width>& tile, const E* from, int stride, int first, int count) {
      for (int e = threadIdx.x; e < rows * width; e += threads) {
        const int row = e / width, c = e % width;
        tile.at[row][c] = first + row < count ? number(from[(first + row) * stride + c]) : 0.0f;
      }
    }

    // The products of each row of `left` with each of `count` rows of a matrix.
    template <int threads, int rows, int count, int width, int step, typename E>
    DEVICE void multiply_rows(
        Tile<rows, count>& products, const Tile<rows, width>& left, const E* right, int stride, Tile<step, width>& tile) {
      for (int first = 0; first < count; first += step) {
        block_barrier();
        load<threads>(tile, right, stride, first, count);
        block_barrier();
        for (int e = threadIdx.x; e < rows * step; e += threads) {
          const int i = e / step, j = e % step;
          if (first + j >= count) continue;
          float sum = 0.0f;
          for (int c = 0; c < width; ++c) sum = multiply_add(left.at[i][c], tile.at[j][c], sum);
          products.at[i][first + j] = sum;
        }
      }
      block_barrier();
    }

    // Sums of `count` rows of a matrix, weighted by each row of `weights`, times `scale`; the first `wanted` of them are stored.
    template <int threads, int rows, int count, int width, int step, typename E, typename R>
    DEVICE void store_weighted_sums(
        R* result, int result_stride, int first_row, int wanted, const Tile<rows, count>& weights, const E* right, int stride,
        Tile<step, width>& tile, float scale) {
      const int each = (rows * width + threads - 1) / threads;
      float sums[each] = {};
      for (int first = 0; first < count; first += step) {
        block_barrier();
        load<threads>(tile, right, stride, first, count);
        block_barrier();
    #pragma unroll
        for (int n = 0; n < each; ++n) {
          const int e = threadIdx.x + n * threads;
          if (e < rows * width)
            for (int j = 0; j < step && first + j < count; ++j)
              sums[n] = multiply_add(weights.at[e / width][first + j], tile.at[j][e % width], sums[n]);
        }
      }
    #pragma unroll
      for (int n = 0; n < each; ++n) {
        const int e = threadIdx.x + n * threads, row = first_row + e / width;
        if (e < rows * width && row < wanted) assign(result[row * result_stride + e % width], sums[n] * scale);
      }
    }

    // Each row's powers of e over their sum; what the largest product was, and one over the sum, in `statistics`, where there is one.
    template <int threads, int rows, int count>
    DEVICE void softmax_rows(Tile<rows, count>& scores, float scale, float* statistics, int first, int wanted) {
      const int lane = threadIdx.x % 32;
      for (int row = threadIdx.x / 32; row < rows; row += threads / 32) {
        float largest = -infinity(), sum = 0.0f;
        for (int j = lane; j < count; j += 32) largest = larger(largest, scores.at[row][j]);
        largest = warp_max(largest);
        for (int j = lane; j < count; j += 32) {
          const float power = exponential((scores.at[row][j] - largest) * scale);
          scores.at[row][j] = power;
          sum += power;
        }
        const float share = 1.0f / warp_sum(sum);
        for (int j = lane; j < count; j += 32) scores.at[row][j] *= share;
        if (statistics && lane == 0 && first + row < wanted) {
          statistics[3 * (first + row)] = largest;
          statistics[3 * (first + row) + 1] = share;
        }
      }
      block_barrier();
    }

    // Turns each row's gradients of its probabilities into those of its scores.
    template <int threads, int rows, int count>
    DEVICE void softmax_gradient(
        Tile<rows, count>& gradients, const Tile<rows, count>& weights, float* statistics, int first, int wanted) {
      const int lane = threadIdx.x % 32;
      for (int row = threadIdx.x / 32; row < rows; row += threads / 32) {
        float mean = 0.0f;
        for (int j = lane; j < count; j += 32) mean = multiply_add(weights.at[row][j], gradients.at[row][j], mean);
        mean = warp_sum(mean);
        for (int j = lane; j < count; j += 32) gradients.at[row][j] = weights.at[row][j] * (gradients.at[row][j] - mean);
        if (lane == 0 && first + row < wanted) statistics[3 * (first + row) + 2] = mean;
      }
      block_barrier();
    }

    // Where the group of the token at `position` begins, and the number behind its last one; `ends` ascend.
    DEVICE void find_group(const int* ends, int position, int& begin, int& end) {
      int low = 0, high = position;
      while (low < high) {
        const int middle = (low + high) / 2;
        if (ends[middle] > position) high = middle; else low = middle + 1;
      }
      begin = low == 0 ? 0 : ends[low - 1];
      end = ends[low];
    }

    // Which row and column a cell of a square has whose cells are ordered by squares of two by two, and so on.
    DEVICE void quarter_cell(int index, int& row, int& column) {
      row = column = 0;
      for (int bit = 0; index > 0; ++bit, index >>= 2) {
        row |= (index & 1) << bit;
        column |= (index >> 1 & 1) << bit;
      }
    }

    // `index` as one of `count` that repeat without end.
    DEVICE int wrapped(int index, int count) { return (index % count + count) % count; }
    """
}
