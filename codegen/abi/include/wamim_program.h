// What a generated object hands to the trainer runtime: its kernels, and the order in which to run them.
//
// Everything here is constant data that the compiler emits. What only people and commands read (names, shapes, defaults) is in
// the manifest, as JSON; what the inner loop reads is in these structures.
#ifndef WAMIM_PROGRAM_H
#define WAMIM_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/// The version of these structures; a runtime refuses any other.
#define WAMIM_ABI_VERSION 5

/// Where an argument of a kernel lives.
enum {
  /// At `offset` in the arena that all threads share.
  WAMIM_STORAGE_ARENA = 0,
  /// At `offset` in the scratch memory of the thread that makes the call.
  WAMIM_STORAGE_SCRATCH = 1,
  /// At `offset` in the memory where gradients add up over the rounds of a step; all threads share it.
  WAMIM_STORAGE_ACCUMULATORS = 2,
};

/// One pointer that a kernel receives: the base of `storage`, plus `offset`, plus the first unit of the call times `unit_stride`.
typedef struct {
  uint64_t offset;
  uint64_t unit_stride;
  uint32_t storage;
  uint32_t reserved;
} wamim_argument;

/// A compiled kernel: works on the units `begin..<end` through pointers computed from its arguments.
///
/// Pointers of arguments with a nonzero `unit_stride` already point at unit `begin`.
typedef void (*wamim_kernel_function)(void *const *pointers, int64_t begin, int64_t end);

/// An array of bf16 numbers whose tiles a GPU's tensor copy engine takes, in lines of 128 bytes that it swizzles.
typedef struct {
  /// Bytes from the begin of the argument to the array.
  uint64_t offset;
  /// Numbers along each axis, the one whose numbers are neighbours first, and bytes from one to the next along the others.
  uint64_t extents[4];
  uint64_t strides[3];
  /// Which of the call's arguments the array is in.
  uint32_t argument;
  /// How many axes there are.
  uint32_t axis_count;
  /// Numbers of a tile along each axis.
  uint32_t box[4];
} wamim_tensor_map;

/// One launch of a function on a GPU, whose parameters are a call's pointers, and behind them descriptions of arrays for the copy engine.
typedef struct {
  /// The function's name in the image's PTX.
  const char *function;
  uint32_t blocks;
  /// Threads of a block.
  uint32_t threads;
  const wamim_tensor_map *tensor_maps;
  uint32_t tensor_map_count;
  /// Bytes of shared memory that a block has beside what the function's code names.
  uint32_t shared_bytes;
} wamim_launch;

/// A kernel in an image of the program's code for GPUs: launches in order.
typedef struct {
  const wamim_launch *launches;
  uint32_t launch_count;
  uint32_t reserved;
} wamim_device_kernel;

/// One call of a kernel.
typedef struct {
  /// Null in a program for a GPU.
  wamim_kernel_function function;
  const wamim_argument *arguments;
  uint32_t argument_count;
  /// Which entry of the manifest's table of calls describes this one.
  uint32_t description;
  /// One for each image of the device code; null in a program for this machine's processor.
  const wamim_device_kernel *device_kernels;
} wamim_call;

/// Calls that one thread makes in order, for each of `chunks` contiguous ranges of `units`.
///
/// Chunk `t` covers the units from `t * units / chunks` up to `(t + 1) * units / chunks`; any thread may take any chunk. More chunks do for
/// many threads where products are generated: what is computed for a unit depends on nothing but the unit, and `chunks` are as few as
/// scratch memory has room for.
typedef struct {
  const wamim_call *calls;
  uint32_t call_count;
  uint32_t chunks;
  uint64_t units;
} wamim_group;

/// Groups that do not depend on each other; all threads meet at the end of a phase.
typedef struct {
  const wamim_group *groups;
  uint32_t group_count;
  uint32_t reserved;
} wamim_phase;

/// A complete schedule, such as one training step.
typedef struct {
  const char *name;
  const wamim_phase *phases;
  uint64_t phase_count;
} wamim_schedule;

/// Bytes that the arena holds before the first step, such as position tables.
typedef struct {
  uint64_t offset;
  uint64_t byte_count;
  const void *bytes;
} wamim_constant;

/// Code with the vectors that kernels use, which measures how fast the machine can be.
typedef struct {
  /// Makes `rounds` rounds of multiply-adds in registers, as many beside each other as keep the processor busy; writes up to 64 numbers.
  void (*multiply_add)(float *result, int64_t rounds);
  /// `result = left + 3 * right` for `count` elements, a multiple of 64.
  void (*triad)(float *result, const float *left, const float *right, int64_t count);
  /// Multiplications and additions in one round.
  int64_t round_flops;
  /// Makes `rounds` rounds of products in the tile registers of AMX, each number in its bf16×3 split as kernels have it; writes nothing.
  /// Null where kernels use no AMX.
  void (*multiply_matrices)(float *result, int64_t rounds);
  /// Multiplications and additions of whole numbers that one of those rounds stands for.
  int64_t matrix_round_flops;
} wamim_probes;

/// All kernels of a program for GPUs, for one architecture.
typedef struct {
  /// The architecture by NVIDIA's name, such as `sm_80`.
  const char *architecture;
  /// PTX, with a zero at its end. Besides the kernels' functions, it has those that the runtime launches on its own, blocks of 256
  /// threads, with addresses and 64-bit whole numbers as parameters:
  ///
  /// - `wamim_look_up_pixels(pixels, table, images, channels, positions, count)`: as many threads as there are elements;
  /// - `wamim_finish_samples(pixels, partners, table, erased, noise, images, width, height, channels, samples, share, rest, left, top,
  ///   box_width, box_height)`: as many threads as there are elements. `partners` is 0 where nothing is mixed; `erased` has five int32
  ///   for each sample and then for each partner: left, top, width, height, and the index of its first number of `noise`; `share` and
  ///   `rest` are the bits of float32 numbers, by which samples are blended where `box_width` is below 0;
  /// - `wamim_add_up(numbers, parts, count, squares)`: each block a float64, of numbers or of their squares;
  /// - `wamim_move_sums(target, source, count)`: as many threads as there are numbers;
  /// - `wamim_multiply_numbers(nowhere, rounds)`, `wamim_multiply_pairs(nowhere, rounds)`: arithmetic in registers, of float32 numbers and of
  ///   bf16 ones on tensor cores; each block makes 2^18 or 2^20 multiplications and additions a round, and writes nothing.
  const char *ptx;
  uint64_t ptx_bytes;
  /// The architecture's compute capability, ten times the major number and the minor one.
  uint32_t compute_capability;
  /// Whether the code runs on GPUs of that compute capability alone; on newer ones too, otherwise.
  uint32_t is_exact;
  /// The least driver that knows the PTX, as `cuDriverGetVersion` counts.
  uint32_t driver_version;
  uint32_t reserved;
} wamim_device_image;

/// The code of a program for GPUs, of which a GPU takes the best image that it can run.
///
/// Such a program's groups have one chunk each, the device takes one phase after the other, and scratch memory is there once.
typedef struct {
  const wamim_device_image *images;
  uint32_t image_count;
  uint32_t reserved;
} wamim_device_code;

/// The root of a generated object.
typedef struct {
  uint32_t abi_version;
  uint32_t schedule_count;
  const wamim_schedule *schedules;
  const wamim_constant *constants;
  uint64_t constant_count;
  /// Bytes of the arena, and of the scratch memory of each thread.
  uint64_t arena_bytes;
  uint64_t scratch_bytes;
  /// Bytes of the accumulators, which are zero before the first round of a step; there are none where no schedule is run that uses them.
  uint64_t accumulator_bytes;
  /// The manifest: UTF-8 JSON.
  const char *manifest;
  uint64_t manifest_bytes;
  /// Null in a program for a GPU.
  const wamim_probes *probes;
  /// Null in a program for this machine's processor.
  const wamim_device_code *device_code;
} wamim_program;

/// The runtime's entry point; the generated `main` calls it and returns its result.
int wamim_main(int argc, char **argv, const wamim_program *program);

#endif
