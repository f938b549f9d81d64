/// Functions that a trainer's runtime launches on its own, whatever the model: their names and parameters are in `wamim_program.h`.
enum RuntimeFunctions {
  static let text = """

    // Images of bytes, [samples, positions, channels], as numbers, [samples, channels, positions], by a table for each channel.
    KERNEL(256) wamim_look_up_pixels(
        const unsigned char* pixels, const float* table, float* images, long long channels, long long positions, long long count) {
      const long long element = blockIdx.x * 256ll + threadIdx.x;
      if (element >= count) return;
      const long long position = element % positions, channel = element / positions % channels;
      const long long sample = element / (positions * channels);
      images[element] = table[256 * channel + pixels[(sample * positions + position) * channels + channel]];
    }

    // What each of the blocks adds up of `count` numbers, or of their squares.
    KERNEL(256) wamim_add_up(const float* numbers, double* parts, long long count, long long squares) {
      __shared__ double sums[256];
      double sum = 0.0;
      for (long long i = blockIdx.x * 256ll + threadIdx.x; i < count; i += 256ll * gridDim.x) {
        const double x = numbers[i];
        sum += squares ? x * x : x;
      }
      sums[threadIdx.x] = sum;
      block_barrier();
      for (int half = 128; half > 0; half /= 2) {
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
        block_barrier();
      }
      if (threadIdx.x == 0) parts[blockIdx.x] = sums[0];
    }

    // Adds numbers to others, and leaves zeros in their place.
    KERNEL(256) wamim_move_sums(float* target, float* source, long long count) {
      const long long element = blockIdx.x * 256ll + threadIdx.x;
      if (element >= count) return;
      target[element] = source[element] + target[element];
      source[element] = 0.0f;
    }
    """
}
