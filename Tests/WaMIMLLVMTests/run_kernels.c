// Runs a kernel of another architecture on arrays in a file, which then holds what the kernel has made of them.
// usage: run_kernels FILE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef void (*kernel_function)(void *const *pointers, int64_t begin, int64_t end);

// Made for each set of kernels.
extern const kernel_function kernels[];

// The file: the kernel's number, how many ranges of units and how many arguments there are; each range's begin and end; where each
// argument begins in the file and how many bytes it moves from unit to unit; the arrays.
int main(int argc, char **argv) {
  FILE *file = argc == 2 ? fopen(argv[1], "r+b") : NULL;
  if (!file || fseek(file, 0, SEEK_END)) return 1;
  size_t size = (size_t)ftell(file);
  int64_t *words = aligned_alloc(64, (size + 63) / 64 * 64);
  rewind(file);
  if (!words || fread(words, 1, size, file) != size) return 1;
  int64_t kernel = words[0], range_count = words[1], argument_count = words[2];
  int64_t *ranges = words + 3, *arguments = ranges + 2 * range_count;
  void **pointers = malloc(argument_count * sizeof *pointers);
  if (!pointers) return 1;
  for (int64_t range = 0; range < range_count; range++) {
    int64_t begin = ranges[2 * range], end = ranges[2 * range + 1];
    for (int64_t i = 0; i < argument_count; i++) {
      pointers[i] = (char *)words + arguments[2 * i] + begin * arguments[2 * i + 1];
    }
    kernels[kernel](pointers, begin, end);
  }
  rewind(file);
  return fwrite(words, 1, size, file) != size || fclose(file) != 0;
}
