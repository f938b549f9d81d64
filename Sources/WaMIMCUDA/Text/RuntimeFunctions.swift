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

    // What is erased of a sample, and where its noise begins: [channels, height, width].
    struct Erased { int left, top, width, height, noise; };

    // A number of a sample of bytes, [height, width, channels]: that of its byte, or noise where it is erased.
    DEVICE float finished(
        const unsigned char* pixels, const float* table, const Erased& erased, const float* noise, int x, int y, int channel, int width,
        int channels) {
      const int column = x - erased.left, row = y - erased.top;
      if (column >= 0 && column < erased.width && row >= 0 && row < erased.height)
        return noise[erased.noise + (channel * erased.height + row) * erased.width + column];
      return table[256 * channel + pixels[(y * width + x) * channels + channel]];
    }

    // Samples of bytes as numbers, [samples, channels, height, width], erased, and mixed with their partners where there are some: each
    // sample with that which is as far from the end. `erased` tells of the samples and then of the partners. Within the box numbers are
    // the partners'; where its width is below 0, all are blended by `share` and `rest`, the bits of float32 numbers.
    KERNEL(256) wamim_finish_samples(
        const unsigned char* pixels, const unsigned char* partners, const float* table, const Erased* erased, const float* noise,
        float* images, long long width, long long height, long long channels, long long samples, long long share, long long rest,
        long long left, long long top, long long box_width, long long box_height) {
      const long long element = blockIdx.x * 256ll + threadIdx.x, size = width * height * channels;
      if (element >= size * samples) return;
      const int sample = element / size, at = element % size;
      const int x = at % width, y = at / width % height, channel = at / (width * height);
      float number = finished(pixels + sample * size, table, erased[sample], noise, x, y, channel, width, channels);
      if (partners && (box_width < 0 || (x >= left && x < left + box_width && y >= top && y < top + box_height))) {
        const int partner = samples - 1 - sample;
        const float other =
            finished(partners + partner * size, table, erased[samples + partner], noise, x, y, channel, width, channels);
        number = box_width < 0 ? of_bits((int)share) * number + of_bits((int)rest) * other : other;
      }
      images[element] = number;
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

    // Arithmetic in registers alone, to be timed. No sum is below zero, but compilers do not know that and keep it.
    KERNEL(256) wamim_multiply_numbers(float* nowhere, long long rounds) {
      float sums[16];
    #pragma unroll
      for (int i = 0; i < 16; ++i) sums[i] = threadIdx.x + i;
      for (long long round = 0; round < rounds; ++round) {
    #pragma unroll
        for (int i = 0; i < 512; ++i) sums[i % 16] = multiply_add(sums[i % 16], 0.99f, 0.5f);
      }
      float sum = 0.0f;
    #pragma unroll
      for (int i = 0; i < 16; ++i) sum += sums[i];
      if (sum < 0.0f) nowhere[threadIdx.x] = sum;
    }

    // The same on tensor cores, on numbers between one half and one.
    KERNEL(256) wamim_multiply_pairs(float* nowhere, long long rounds) {
      const unsigned some = 0x3f003f00u | (threadIdx.x * 0x9e3779b1u & 0x007f007fu);
      const unsigned left[4] = {some, some ^ 0x10001u, some ^ 0x20002u, some ^ 0x40004u}, right[2] = {some ^ 0x80008u, some ^ 0x30003u};
      float sums[8][4] = {};
      for (long long round = 0; round < rounds; ++round) {
    #pragma unroll
        for (int i = 0; i < 32; ++i) add_tensor_products(sums[i % 8], left, right);
      }
      float sum = 0.0f;
    #pragma unroll
      for (int i = 0; i < 32; ++i) sum += sums[i / 4][i % 4];
      if (sum < 0.0f) nowhere[threadIdx.x] = sum;
    }
    """
}
