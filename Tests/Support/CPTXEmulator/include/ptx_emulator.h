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

/// How many parameters the function `name` has; -1 where there is none of this name.
int ptx_parameter_count(const ptx_module *module, const char *name);

/// How many words of 8 bytes a parameter takes, counted from 0: one, or as many as a table has.
size_t ptx_parameter_words(const ptx_module *module, const char *name, size_t number);

/// Runs the function `name` with so many blocks of threads, whose parameters are `count` words one after the other.
///
/// `order` 0 takes the threads of a warp together and blocks in turn; other numbers are other orders, of blocks, warps and single threads.
/// Returns 0, or another number with a message in `error`.
int ptx_launch(
    const ptx_module *module, const char *name, unsigned blocks, unsigned threads, const uint64_t *parameters, size_t count,
    const ptx_memory *memory, size_t memory_count, uint64_t order, char *error, size_t error_size);

#ifdef __cplusplus
}
#endif
