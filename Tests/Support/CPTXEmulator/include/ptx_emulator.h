// Runs PTX on the CPU: any order of threads, with a watch on barriers and on the bounds of memory.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// PTX that has been read.
typedef struct ptx_module ptx_module;

/// Device memory: addresses of this process that kernels may touch.
typedef struct {
  void *base;
  size_t bytes;
} ptx_memory;

/// The module that `text` describes, or null with a message in `error`.
ptx_module *ptx_module_load(const char *text, char *error, size_t error_size);
void ptx_module_free(ptx_module *module);

/// Bytes of a description of an array for the tensor copy engine, and what addresses of them are multiples of.
enum { PTX_TENSOR_MAP_BYTES = 128, PTX_TENSOR_MAP_ALIGNMENT = 64 };

/// Describes an array of numbers of 2 bytes at `map`, whose tiles get lines of 128 bytes, swizzled; null, or what is wrong.
///
/// `strides` are bytes, of all axes but the first.
const char *ptx_encode_tensor_map(
    void *map, uint64_t address, unsigned axes, const uint64_t *extents, const uint64_t *strides, const uint32_t *box);

/// How many parameters the function `name` has; -1 where there is none of this name.
int ptx_parameter_count(const ptx_module *module, const char *name);

/// Bytes of a parameter, whole words of 8.
size_t ptx_parameter_bytes(const ptx_module *module, const char *name, int number);

/// Runs the function `name` with so many blocks of threads, whose parameters are `count` words of 8 bytes; blocks have `shared_bytes` of
/// shared memory beside what the function names.
///
/// `order` 0 takes the threads of a warp together and blocks in turn; other numbers are other orders, of blocks, warps and single threads.
/// Returns 0, or another number with a message in `error`.
int ptx_launch(
    const ptx_module *module, const char *name, unsigned blocks, unsigned threads, unsigned shared_bytes, const uint64_t *parameters, size_t count,
    const ptx_memory *memory, size_t memory_count, uint64_t order, char *error, size_t error_size);

#ifdef __cplusplus
}
#endif
