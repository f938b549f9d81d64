// What the trainer calls of NVIDIA's driver, `libcuda.so.1`, which is opened when a program for GPUs runs.
//
// Types and numbers are those of the driver's documented interface; nothing of NVIDIA's is needed to compile this.
#ifndef WAMIM_CUDA_DRIVER_H
#define WAMIM_CUDA_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int32_t wamim_cuda_result;
typedef int32_t wamim_cuda_device;
/// An address in a GPU's memory.
typedef uint64_t wamim_cuda_address;
typedef void *wamim_cuda_context;
typedef void *wamim_cuda_stream;
typedef void *wamim_cuda_event;
typedef void *wamim_cuda_module;
typedef void *wamim_cuda_function;
typedef void *wamim_cuda_graph;
typedef void *wamim_cuda_executable_graph;

/// Results that are told apart.
enum {
  WAMIM_CUDA_SUCCESS = 0,
  WAMIM_CUDA_OUT_OF_MEMORY = 2,
  WAMIM_CUDA_NO_DEVICE = 100,
  WAMIM_CUDA_INVALID_PTX = 218,
  WAMIM_CUDA_UNSUPPORTED_PTX = 222,
  WAMIM_CUDA_NOT_FOUND = 500,
};

/// Properties of a device that can be asked for.
enum {
  WAMIM_CUDA_CLOCK_KILOHERTZ = 13,
  WAMIM_CUDA_MULTIPROCESSORS = 16,
  WAMIM_CUDA_CAPABILITY_MAJOR = 75,
  WAMIM_CUDA_CAPABILITY_MINOR = 76,
};

/// Options of a module's compilation: where the compiler writes what is wrong, and how much room there is.
enum {
  WAMIM_CUDA_ERROR_LOG = 5,
  WAMIM_CUDA_ERROR_LOG_BYTES = 6,
};

enum {
  /// A stream that does not wait for the default stream.
  WAMIM_CUDA_STREAM_NON_BLOCKING = 1,
  /// Only calls of the capturing thread are captured.
  WAMIM_CUDA_CAPTURE_THREAD_LOCAL = 1,
};

/// Attributes of a function: the most bytes of shared memory beside what it names.
enum {
  WAMIM_CUDA_MOST_SHARED_BYTES = 8,
};

/// What descriptions of arrays for the tensor copy engine say.
enum {
  WAMIM_CUDA_TENSOR_BFLOAT16 = 9,
  WAMIM_CUDA_TENSOR_NO_INTERLEAVE = 0,
  WAMIM_CUDA_TENSOR_SWIZZLE_128_BYTES = 3,
  WAMIM_CUDA_TENSOR_PROMOTE_256_BYTES = 3,
  WAMIM_CUDA_TENSOR_ZEROS_BEYOND = 0,
};

/// The driver's functions: the name here and there, parameters and arguments.
#define WAMIM_CUDA_FUNCTIONS(F) \
  F(cuInit, cuInit, (uint32_t flags), (flags)) \
  F(cuDriverGetVersion, cuDriverGetVersion, (int32_t *version), (version)) \
  F(cuGetErrorName, cuGetErrorName, (wamim_cuda_result result, const char **name), (result, name)) \
  F(cuGetErrorString, cuGetErrorString, (wamim_cuda_result result, const char **text), (result, text)) \
  F(cuDeviceGetCount, cuDeviceGetCount, (int32_t *count), (count)) \
  F(cuDeviceGet, cuDeviceGet, (wamim_cuda_device *device, int32_t number), (device, number)) \
  F(cuDeviceGetName, cuDeviceGetName, (char *name, int32_t bytes, wamim_cuda_device device), (name, bytes, device)) \
  F(cuDeviceGetAttribute, cuDeviceGetAttribute, (int32_t *value, int32_t attribute, wamim_cuda_device device), \
    (value, attribute, device)) \
  F(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, (wamim_cuda_context *context, wamim_cuda_device device), (context, device)) \
  F(cuDevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (wamim_cuda_device device), (device)) \
  F(cuCtxSetCurrent, cuCtxSetCurrent, (wamim_cuda_context context), (context)) \
  F(cuMemGetInfo, cuMemGetInfo_v2, (size_t *available, size_t *total), (available, total)) \
  F(cuMemAlloc, cuMemAlloc_v2, (wamim_cuda_address *address, size_t bytes), (address, bytes)) \
  F(cuMemFree, cuMemFree_v2, (wamim_cuda_address address), (address)) \
  F(cuMemHostAlloc, cuMemHostAlloc, (void **memory, size_t bytes, uint32_t flags), (memory, bytes, flags)) \
  F(cuMemFreeHost, cuMemFreeHost, (void *memory), (memory)) \
  F(cuMemcpyHtoDAsync, cuMemcpyHtoDAsync_v2, (wamim_cuda_address to, const void *from, size_t bytes, wamim_cuda_stream stream), \
    (to, from, bytes, stream)) \
  F(cuMemcpyDtoHAsync, cuMemcpyDtoHAsync_v2, (void *to, wamim_cuda_address from, size_t bytes, wamim_cuda_stream stream), \
    (to, from, bytes, stream)) \
  F(cuMemcpyDtoDAsync, cuMemcpyDtoDAsync_v2, (wamim_cuda_address to, wamim_cuda_address from, size_t bytes, wamim_cuda_stream stream), \
    (to, from, bytes, stream)) \
  F(cuMemsetD8Async, cuMemsetD8Async, (wamim_cuda_address to, uint8_t value, size_t count, wamim_cuda_stream stream), \
    (to, value, count, stream)) \
  F(cuMemsetD32Async, cuMemsetD32Async, (wamim_cuda_address to, uint32_t value, size_t count, wamim_cuda_stream stream), \
    (to, value, count, stream)) \
  F(cuStreamCreate, cuStreamCreate, (wamim_cuda_stream *stream, uint32_t flags), (stream, flags)) \
  F(cuStreamDestroy, cuStreamDestroy_v2, (wamim_cuda_stream stream), (stream)) \
  F(cuStreamSynchronize, cuStreamSynchronize, (wamim_cuda_stream stream), (stream)) \
  F(cuStreamWaitEvent, cuStreamWaitEvent, (wamim_cuda_stream stream, wamim_cuda_event event, uint32_t flags), (stream, event, flags)) \
  F(cuEventCreate, cuEventCreate, (wamim_cuda_event *event, uint32_t flags), (event, flags)) \
  F(cuEventDestroy, cuEventDestroy_v2, (wamim_cuda_event event), (event)) \
  F(cuEventRecord, cuEventRecord, (wamim_cuda_event event, wamim_cuda_stream stream), (event, stream)) \
  F(cuEventSynchronize, cuEventSynchronize, (wamim_cuda_event event), (event)) \
  F(cuEventElapsedTime, cuEventElapsedTime, (float *milliseconds, wamim_cuda_event start, wamim_cuda_event end), \
    (milliseconds, start, end)) \
  F(cuModuleLoadDataEx, cuModuleLoadDataEx, \
    (wamim_cuda_module *module, const void *image, uint32_t option_count, int32_t *options, void **values), \
    (module, image, option_count, options, values)) \
  F(cuModuleUnload, cuModuleUnload, (wamim_cuda_module module), (module)) \
  F(cuModuleGetFunction, cuModuleGetFunction, (wamim_cuda_function *function, wamim_cuda_module module, const char *name), \
    (function, module, name)) \
  F(cuFuncSetAttribute, cuFuncSetAttribute, (wamim_cuda_function function, int32_t attribute, int32_t value), \
    (function, attribute, value)) \
  F(cuLaunchKernel, cuLaunchKernel, \
    (wamim_cuda_function function, uint32_t blocks_x, uint32_t blocks_y, uint32_t blocks_z, uint32_t threads_x, uint32_t threads_y, \
     uint32_t threads_z, uint32_t shared_bytes, wamim_cuda_stream stream, void **parameters, void **extra), \
    (function, blocks_x, blocks_y, blocks_z, threads_x, threads_y, threads_z, shared_bytes, stream, parameters, extra)) \
  F(cuStreamBeginCapture, cuStreamBeginCapture_v2, (wamim_cuda_stream stream, int32_t mode), (stream, mode)) \
  F(cuStreamEndCapture, cuStreamEndCapture, (wamim_cuda_stream stream, wamim_cuda_graph *graph), (stream, graph)) \
  F(cuGraphInstantiateWithFlags, cuGraphInstantiateWithFlags, \
    (wamim_cuda_executable_graph *executable, wamim_cuda_graph graph, uint64_t flags), (executable, graph, flags)) \
  F(cuGraphLaunch, cuGraphLaunch, (wamim_cuda_executable_graph executable, wamim_cuda_stream stream), (executable, stream)) \
  F(cuGraphDestroy, cuGraphDestroy, (wamim_cuda_graph graph), (graph)) \
  F(cuGraphExecDestroy, cuGraphExecDestroy, (wamim_cuda_executable_graph executable), (executable))

/// Functions of newer drivers, in the same way, which only code for newer GPUs needs.
#define WAMIM_CUDA_LATER_FUNCTIONS(F) \
  F(cuTensorMapEncodeTiled, cuTensorMapEncodeTiled, \
    (void *map, int32_t type, uint32_t axes, void *address, const uint64_t *extents, const uint64_t *strides, const uint32_t *box, \
     const uint32_t *steps, int32_t interleave, int32_t swizzle, int32_t promotion, int32_t beyond), \
    (map, type, axes, address, extents, strides, box, steps, interleave, swizzle, promotion, beyond))

/// What `wamim_cuda_open` found.
typedef enum {
  WAMIM_CUDA_OPENED,
  /// There is no driver, with the reason in `message`.
  WAMIM_CUDA_MISSING,
  /// The driver lacks a function, whose name is in `message`; those that it has can be called.
  WAMIM_CUDA_INCOMPLETE,
} wamim_cuda_opening;

/// Opens the driver in the shared library `library`, once for the process; it stays open. To be called on one thread.
wamim_cuda_opening wamim_cuda_open(const char *library, const char **message);

// Each of the functions, as `wamim_cuInit` and so on: WAMIM_CUDA_NOT_FOUND where it has not been opened.
#define WAMIM_CUDA_DECLARE(name, symbol, parameters, arguments) wamim_cuda_result wamim_##name parameters;
WAMIM_CUDA_FUNCTIONS(WAMIM_CUDA_DECLARE)
WAMIM_CUDA_LATER_FUNCTIONS(WAMIM_CUDA_DECLARE)
#undef WAMIM_CUDA_DECLARE

#endif
