// Memory of the device and of this machine, and copies between them.
#include "state.hpp"

using namespace fake;

namespace {

size_t taken_bytes() {
  size_t taken = setting("FAKE_CUDA_TAKEN", 0);
  for (const auto &range : device_memory) taken += range.second;
  return taken;
}

size_t total_bytes() { return setting("FAKE_CUDA_MEMORY", 1 << 30); }

/// Whether a copy to some of the bytes waits.
bool is_waited_for(uint64_t address, size_t bytes) {
  return std::any_of(waiting_copies.begin(), waiting_copies.end(), [=](const auto &copy) {
    return address < copy.first.first + copy.first.second && copy.first.first < address + bytes;
  });
}

}  // namespace

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
  // What an earlier copy will still write there is another matter.
  const bool is_written = is_waited_for((uint64_t)from, bytes);
  const uint64_t before = digest(from, bytes);
  return enqueue((Stream *)stream, [=] {
    if (!holds(pinned_memory, (uint64_t)from, bytes) || (!is_written && digest(from, bytes) != before))
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
  const std::pair<uint64_t, size_t> range((uint64_t)to, bytes);
  ++waiting_copies[range];
  return enqueue((Stream *)stream, [=] {
    if (--waiting_copies[range] == 0) waiting_copies.erase(range);
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
