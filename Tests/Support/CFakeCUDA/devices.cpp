// The driver itself and its devices.
#include "state.hpp"

using namespace fake;

namespace {

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

API cuInit(uint32_t) {
  const Lock lock(mutex);
  return setting("FAKE_CUDA_DEVICES", 1) ? success : no_device;
}

API cuDriverGetVersion(int32_t *version) {
  const Lock lock(mutex);
  *version = driver_version();
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
  const int capability = device_capability();
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
