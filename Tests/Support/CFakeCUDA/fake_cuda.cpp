#include "fake_cuda.h"

#include "cuda_driver.h"
#include "ptx_emulator.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

using Result = wamim_cuda_result;

// The driver's numbers of what goes wrong here.
constexpr Result success = WAMIM_CUDA_SUCCESS, invalid_value = 1, out_of_memory = WAMIM_CUDA_OUT_OF_MEMORY, no_device = WAMIM_CUDA_NO_DEVICE,
                 invalid_device = 101, invalid_ptx = WAMIM_CUDA_INVALID_PTX, not_found = WAMIM_CUDA_NOT_FOUND, launch_failed = 719,
                 capture_unsupported = 900, unknown = 999;

uint64_t setting(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// What a copy to this machine's memory has in place until it is made.
constexpr unsigned char not_yet_copied = 0xa5;

uint64_t digest(const void *bytes, size_t count) {
  uint64_t hash = 1469598103934665603u;
  for (size_t i = 0; i < count; ++i) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
  return hash;
}

using Work = std::function<void()>;

struct Failure {
  Result result;
  std::string message;
};

struct Graph {
  std::vector<Work> work;
};

struct Stream {
  std::deque<Work> waiting;
  /// What is captured instead of being done.
  std::unique_ptr<Graph> capture;
};

struct Event {
  Stream *stream = nullptr;
  /// How often it has been recorded, and the last of those that has come.
  uint64_t recorded = 0, reached = 0;
  std::chrono::steady_clock::time_point time;
};

struct Function {
  const ptx_module *module;
  std::string name;
  size_t parameter_count;
};

struct Module {
  ptx_module *module;
  std::map<std::string, std::unique_ptr<Function>> functions;
};

/// Held by each call: programs call from several threads.
std::recursive_mutex mutex;
using Lock = std::lock_guard<std::recursive_mutex>;

/// Ranges of memory by their first byte.
using Ranges = std::map<uint64_t, size_t>;

Ranges device_memory, pinned_memory;
uint64_t allocations = 0, launches = 0;
/// What every call answers once the GPU has failed.
Result broken = success;

bool holds(const Ranges &ranges, uint64_t address, size_t bytes) {
  auto after = ranges.upper_bound(address);
  if (after == ranges.begin()) return false;
  const auto &[base, size] = *--after;
  return address + bytes <= base + size;
}

Result fail(Result result, const std::string &message) {
  std::fprintf(stderr, "fake cuda: %s\n", message.c_str());
  return result;
}

Result enqueue(Stream *stream, Work work) {
  if (broken) return broken;
  if (stream->capture) stream->capture->work.push_back(std::move(work));
  else stream->waiting.push_back(std::move(work));
  return success;
}

/// Does what waits in a stream, until `enough`.
template <class Enough> Result drain(Stream *stream, const Enough &enough) {
  if (broken) return broken;
  if (stream->capture) return fail(capture_unsupported, "a stream that is captured is waited for");
  while (!stream->waiting.empty() && !enough()) {
    const Work work = std::move(stream->waiting.front());
    stream->waiting.pop_front();
    try {
      work();
    } catch (const Failure &failure) {
      return broken = fail(failure.result, failure.message);
    }
  }
  return success;
}

Result drain(Stream *stream) {
  return drain(stream, [] { return false; });
}

Result wait(Event *event, uint64_t recorded) {
  if (event->reached >= recorded) return broken;
  return drain(event->stream, [=] { return event->reached >= recorded; });
}

void launch(const Function &function, unsigned blocks, unsigned threads, const std::vector<uint64_t> &parameters) {
  ++launches;
  if (launches == setting("FAKE_CUDA_FAIL_AT", 0)) throw Failure{launch_failed, "launch " + std::to_string(launches) + " fails as asked for"};
  if (launches == setting("FAKE_CUDA_LOSE_AT", 0)) throw Failure{unknown, "the GPU is lost at launch " + std::to_string(launches)};
  std::vector<ptx_memory> memory;
  for (const auto &[base, bytes] : device_memory) memory.push_back({(void *)base, bytes});
  char error[1024] = "";
  static const uint64_t order = setting("FAKE_CUDA_ORDER", 0);
  if (ptx_launch(
          function.module, function.name.c_str(), blocks, threads, parameters.data(), parameters.size(), memory.data(), memory.size(),
          order, error, sizeof error))
    throw Failure{launch_failed, error};
}

size_t taken_bytes() {
  size_t taken = setting("FAKE_CUDA_TAKEN", 0);
  for (const auto &range : device_memory) taken += range.second;
  return taken;
}

size_t total_bytes() { return setting("FAKE_CUDA_MEMORY", 1 << 30); }

const std::map<Result, std::pair<const char *, const char *>> names = {
    {success, {"CUDA_SUCCESS", "no error"}},
    {invalid_value, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}},
    {out_of_memory, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
    {no_device, {"CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"}},
    {invalid_device, {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}},
    {invalid_ptx, {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}},
    {not_found, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
    {launch_failed, {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}},
    {capture_unsupported, {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"}},
    {unknown, {"CUDA_ERROR_UNKNOWN", "unknown error"}}};

}  // namespace

#define API extern "C" __attribute__((visibility("default"))) wamim_cuda_result

// MARK: The driver and its devices

API cuInit(uint32_t) {
  const Lock lock(mutex);
  return setting("FAKE_CUDA_DEVICES", 1) ? success : no_device;
}

API cuDriverGetVersion(int32_t *version) {
  const Lock lock(mutex);
  *version = setting("FAKE_CUDA_VERSION", 12040);
  return success;
}

API cuGetErrorName(Result result, const char **name) {
  const Lock lock(mutex);
  const auto found = names.find(result);
  if (found == names.end()) return invalid_value;
  *name = found->second.first;
  return success;
}

API cuGetErrorString(Result result, const char **text) {
  const Lock lock(mutex);
  const auto found = names.find(result);
  if (found == names.end()) return invalid_value;
  *text = found->second.second;
  return success;
}

API cuDeviceGetCount(int32_t *count) {
  const Lock lock(mutex);
  *count = setting("FAKE_CUDA_DEVICES", 1);
  return success;
}

API cuDeviceGet(wamim_cuda_device *device, int32_t number) {
  const Lock lock(mutex);
  if (number < 0 || (uint64_t)number >= setting("FAKE_CUDA_DEVICES", 1)) return invalid_device;
  *device = number;
  return success;
}

API cuDeviceGetName(char *name, int32_t bytes, wamim_cuda_device device) {
  const Lock lock(mutex);
  std::snprintf(name, bytes, "Emulated %c", 'A' + device);
  return success;
}

API cuDeviceGetAttribute(int32_t *value, int32_t attribute, wamim_cuda_device) {
  const Lock lock(mutex);
  const int capability = setting("FAKE_CUDA_CAPABILITY", 80);
  switch (attribute) {
    case WAMIM_CUDA_CAPABILITY_MAJOR: *value = capability / 10; return success;
    case WAMIM_CUDA_CAPABILITY_MINOR: *value = capability % 10; return success;
    case WAMIM_CUDA_MULTIPROCESSORS: *value = 1; return success;
    case WAMIM_CUDA_CLOCK_KILOHERTZ: *value = 1000; return success;
    default: return invalid_value;
  }
}

API cuDevicePrimaryCtxRetain(wamim_cuda_context *context, wamim_cuda_device device) {
  const Lock lock(mutex);
  *context = (void *)(uintptr_t)(device + 1);
  return broken;
}

API cuDevicePrimaryCtxRelease_v2(wamim_cuda_device) {
  const Lock lock(mutex);
  // What a kernel has done goes with its context; a GPU that is lost stays lost.
  if (broken != unknown) broken = success;
  return broken;
}

API cuCtxSetCurrent(wamim_cuda_context) {
  const Lock lock(mutex);
  return broken;
}

// MARK: Memory

API cuMemGetInfo_v2(size_t *available, size_t *total) {
  const Lock lock(mutex);
  *total = total_bytes();
  *available = *total - std::min(*total, taken_bytes());
  return broken;
}

API cuMemAlloc_v2(wamim_cuda_address *address, size_t bytes) {
  const Lock lock(mutex);
  if (broken) return broken;
  if (bytes == 0) return invalid_value;
  if (++allocations == setting("FAKE_CUDA_FULL_AT", 0) || taken_bytes() + bytes > total_bytes()) return out_of_memory;
  void *memory = std::aligned_alloc(512, (bytes + 511) / 512 * 512);
  // What nobody has written is not a number.
  std::memset(memory, 0xff, bytes);
  *address = (uint64_t)memory;
  device_memory[*address] = bytes;
  return success;
}

API cuMemFree_v2(wamim_cuda_address address) {
  const Lock lock(mutex);
  if (!device_memory.erase(address)) return fail(invalid_value, "memory is freed that has not been allocated");
  std::free((void *)address);
  return broken;
}

API cuMemHostAlloc(void **memory, size_t bytes, uint32_t) {
  const Lock lock(mutex);
  if (broken) return broken;
  *memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  pinned_memory[(uint64_t)*memory] = bytes;
  return success;
}

API cuMemFreeHost(void *memory) {
  const Lock lock(mutex);
  if (!pinned_memory.erase((uint64_t)memory)) return fail(invalid_value, "memory is freed that has not been allocated");
  std::free(memory);
  return broken;
}

API cuMemcpyHtoDAsync_v2(wamim_cuda_address to, const void *from, size_t bytes, wamim_cuda_stream stream) {
  const Lock lock(mutex);
  if (!holds(device_memory, to, bytes) || !holds(pinned_memory, (uint64_t)from, bytes))
    return fail(invalid_value, "a copy to the device leaves its memory, or comes from memory that is not pinned");
  const uint64_t before = digest(from, bytes);
  return enqueue((Stream *)stream, [=] {
    if (!holds(pinned_memory, (uint64_t)from, bytes) || digest(from, bytes) != before)
      throw Failure{launch_failed, "what a copy to the device reads has changed while the copy waited"};
    std::memcpy((void *)to, from, bytes);
  });
}

API cuMemcpyDtoHAsync_v2(void *to, wamim_cuda_address from, size_t bytes, wamim_cuda_stream stream) {
  const Lock lock(mutex);
  if (!holds(device_memory, from, bytes) || !holds(pinned_memory, (uint64_t)to, bytes))
    return fail(invalid_value, "a copy from the device leaves its memory, or goes to memory that is not pinned");
  std::memset(to, not_yet_copied, bytes);
  const uint64_t before = digest(to, bytes);
  return enqueue((Stream *)stream, [=] {
    if (!holds(pinned_memory, (uint64_t)to, bytes) || digest(to, bytes) != before)
      throw Failure{launch_failed, "memory has changed while a copy from the device to it waited"};
    std::memcpy(to, (void *)from, bytes);
  });
}

API cuMemcpyDtoDAsync_v2(wamim_cuda_address to, wamim_cuda_address from, size_t bytes, wamim_cuda_stream stream) {
  const Lock lock(mutex);
  if (!holds(device_memory, from, bytes) || !holds(device_memory, to, bytes))
    return fail(invalid_value, "a copy in the device leaves its memory");
  return enqueue((Stream *)stream, [=] { std::memcpy((void *)to, (void *)from, bytes); });
}

API cuMemsetD8Async(wamim_cuda_address to, uint8_t value, size_t count, wamim_cuda_stream stream) {
  const Lock lock(mutex);
  if (!holds(device_memory, to, count)) return fail(invalid_value, "memory of the device is set beyond its end");
  return enqueue((Stream *)stream, [=] { std::memset((void *)to, value, count); });
}

API cuMemsetD32Async(wamim_cuda_address to, uint32_t value, size_t count, wamim_cuda_stream stream) {
  const Lock lock(mutex);
  if (!holds(device_memory, to, 4 * count)) return fail(invalid_value, "memory of the device is set beyond its end");
  return enqueue((Stream *)stream, [=] {
    for (size_t i = 0; i < count; ++i) ((uint32_t *)to)[i] = value;
  });
}

// MARK: Streams, events and graphs

API cuStreamCreate(wamim_cuda_stream *stream, uint32_t) {
  const Lock lock(mutex);
  *stream = new Stream;
  return broken;
}

API cuStreamDestroy_v2(wamim_cuda_stream stream) {
  const Lock lock(mutex);
  delete (Stream *)stream;
  return broken;
}

API cuStreamSynchronize(wamim_cuda_stream stream) {
  const Lock lock(mutex);
  return drain((Stream *)stream);
}

API cuStreamWaitEvent(wamim_cuda_stream stream, wamim_cuda_event handle, uint32_t) {
  const Lock lock(mutex);
  Event *event = (Event *)handle;
  return enqueue((Stream *)stream, [event, recorded = event->recorded] {
    if (const Result result = wait(event, recorded)) throw Failure{result, "what a stream waits for fails"};
  });
}

API cuEventCreate(wamim_cuda_event *event, uint32_t) {
  const Lock lock(mutex);
  *event = new Event;
  return broken;
}

API cuEventDestroy_v2(wamim_cuda_event handle) {
  const Lock lock(mutex);
  Event *event = (Event *)handle;
  // Its stream may still name it.
  const Result result = wait(event, event->recorded);
  if (event->reached == event->recorded) delete event;
  return result;
}

API cuEventRecord(wamim_cuda_event handle, wamim_cuda_stream stream) {
  const Lock lock(mutex);
  Event *event = (Event *)handle;
  event->stream = (Stream *)stream;
  return enqueue(event->stream, [event, recorded = ++event->recorded] {
    event->reached = recorded;
    event->time = std::chrono::steady_clock::now();
  });
}

API cuEventSynchronize(wamim_cuda_event handle) {
  const Lock lock(mutex);
  return wait((Event *)handle, ((Event *)handle)->recorded);
}

API cuEventElapsedTime(float *milliseconds, wamim_cuda_event start, wamim_cuda_event end) {
  const Lock lock(mutex);
  const Event *from = (Event *)start, *to = (Event *)end;
  if (from->reached < from->recorded || to->reached < to->recorded) return fail(600, "time is measured up to what has not come yet");
  *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return broken;
}

API cuStreamBeginCapture_v2(wamim_cuda_stream stream, int32_t) {
  const Lock lock(mutex);
  if (((Stream *)stream)->capture) return fail(invalid_value, "a stream is captured twice");
  ((Stream *)stream)->capture = std::make_unique<Graph>();
  return broken;
}

API cuStreamEndCapture(wamim_cuda_stream stream, wamim_cuda_graph *graph) {
  const Lock lock(mutex);
  if (!((Stream *)stream)->capture) return fail(invalid_value, "a capture ends that has not begun");
  *graph = ((Stream *)stream)->capture.release();
  return broken;
}

API cuGraphInstantiateWithFlags(wamim_cuda_executable_graph *executable, wamim_cuda_graph graph, uint64_t) {
  const Lock lock(mutex);
  *executable = new Graph(*(Graph *)graph);
  return broken;
}

API cuGraphLaunch(wamim_cuda_executable_graph executable, wamim_cuda_stream stream) {
  const Lock lock(mutex);
  if (broken) return broken;
  for (const Work &work : ((Graph *)executable)->work)
    if (const Result result = enqueue((Stream *)stream, work)) return result;
  return success;
}

API cuGraphDestroy(wamim_cuda_graph graph) {
  const Lock lock(mutex);
  delete (Graph *)graph;
  return success;
}

API cuGraphExecDestroy(wamim_cuda_executable_graph executable) {
  const Lock lock(mutex);
  delete (Graph *)executable;
  return success;
}

// MARK: Modules

API cuModuleLoadDataEx(wamim_cuda_module *module, const void *image, uint32_t count, int32_t *options, void **values) {
  const Lock lock(mutex);
  if (broken) return broken;
  char error[1024] = "";
  ptx_module *loaded = ptx_module_load((const char *)image, error, sizeof error);
  if (loaded) {
    *module = new Module{loaded, {}};
    return success;
  }
  char *log = nullptr;
  size_t bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (options[i] == WAMIM_CUDA_ERROR_LOG) log = (char *)values[i];
    if (options[i] == WAMIM_CUDA_ERROR_LOG_BYTES) bytes = (size_t)values[i];
  }
  if (log) std::snprintf(log, bytes, "%s", error);
  return invalid_ptx;
}

API cuModuleUnload(wamim_cuda_module module) {
  const Lock lock(mutex);
  ptx_module_free(((Module *)module)->module);
  delete (Module *)module;
  return broken;
}

API cuModuleGetFunction(wamim_cuda_function *function, wamim_cuda_module handle, const char *name) {
  const Lock lock(mutex);
  if (broken) return broken;
  Module *module = (Module *)handle;
  const int parameters = ptx_parameter_count(module->module, name);
  if (parameters < 0) return not_found;
  auto &known = module->functions[name];
  if (!known) known.reset(new Function{module->module, name, (size_t)parameters});
  *function = known.get();
  return success;
}

API cuLaunchKernel(
    wamim_cuda_function handle, uint32_t blocks, uint32_t blocks_y, uint32_t blocks_z, uint32_t threads, uint32_t threads_y,
    uint32_t threads_z, uint32_t shared_bytes, wamim_cuda_stream stream, void **parameters, void **) {
  const Lock lock(mutex);
  if (blocks_y * blocks_z * threads_y * threads_z != 1 || shared_bytes != 0 || blocks == 0 || threads == 0 || threads > 1024)
    return fail(invalid_value, "a launch has too many threads, or what is not emulated");
  const Function *function = (Function *)handle;
  // As the driver does, takes the parameters before it returns.
  std::vector<uint64_t> values;
  for (size_t i = 0; i < function->parameter_count; ++i) values.push_back(*(uint64_t *)parameters[i]);
  return enqueue((Stream *)stream, [=] { launch(*function, blocks, threads, values); });
}
