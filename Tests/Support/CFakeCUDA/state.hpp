// What the driver knows, and how work waits and is done.
#pragma once
#include "cuda_driver.h"
#include "fake_cuda.h"
#include "ptx_emulator.h"

#include <algorithm>
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

namespace fake {

using Result = wamim_cuda_result;

// The driver's numbers of what goes wrong here.
constexpr Result success = WAMIM_CUDA_SUCCESS, invalid_value = 1, out_of_memory = WAMIM_CUDA_OUT_OF_MEMORY, no_device = WAMIM_CUDA_NO_DEVICE,
                 invalid_device = 101, invalid_ptx = WAMIM_CUDA_INVALID_PTX, not_found = WAMIM_CUDA_NOT_FOUND, launch_failed = 719,
                 capture_unsupported = 900, unknown = 999;

inline uint64_t setting(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

inline int driver_version() { return setting("FAKE_CUDA_VERSION", 12040); }
inline int device_capability() { return setting("FAKE_CUDA_CAPABILITY", 80); }

/// What a copy to this machine's memory has in place until it is made.
constexpr unsigned char not_yet_copied = 0xa5;

inline uint64_t digest(const void *bytes, size_t count) {
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
  /// The most bytes of shared memory that a launch may give beside what is named.
  uint32_t shared_bytes;
};

struct Module {
  ptx_module *module;
  std::map<std::string, std::unique_ptr<Function>> functions;
};

/// Held by each call: programs call from several threads.
inline std::recursive_mutex mutex;
using Lock = std::lock_guard<std::recursive_mutex>;

/// Ranges of memory by their first byte.
using Ranges = std::map<uint64_t, size_t>;

inline Ranges device_memory, pinned_memory;
inline uint64_t allocations = 0, launches = 0;
/// Copies to this machine's memory that wait: what they will write, and how many of them there are.
inline std::map<std::pair<uint64_t, size_t>, int> waiting_copies;
/// What every call answers once the GPU has failed.
inline Result broken = success;

inline bool holds(const Ranges &ranges, uint64_t address, size_t bytes) {
  auto after = ranges.upper_bound(address);
  if (after == ranges.begin()) return false;
  const auto &[base, size] = *--after;
  return address + bytes <= base + size;
}

inline Result fail(Result result, const std::string &message) {
  std::fprintf(stderr, "fake cuda: %s\n", message.c_str());
  return result;
}

inline Result enqueue(Stream *stream, Work work) {
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

inline Result drain(Stream *stream) {
  return drain(stream, [] { return false; });
}

inline Result wait(Event *event, uint64_t recorded) {
  if (event->reached >= recorded) return broken;
  return drain(event->stream, [=] { return event->reached >= recorded; });
}

}  // namespace fake

#define API extern "C" __attribute__((visibility("default"))) wamim_cuda_result
