// Modules and launches.
#include "state.hpp"

using namespace fake;

namespace {

void launch(const Function &function, unsigned blocks, unsigned threads, unsigned shared_bytes, const std::vector<uint64_t> &parameters) {
  ++launches;
  if (launches == setting("FAKE_CUDA_FAIL_AT", 0)) throw Failure{launch_failed, "launch " + std::to_string(launches) + " fails as asked for"};
  if (launches == setting("FAKE_CUDA_LOSE_AT", 0)) throw Failure{unknown, "the GPU is lost at launch " + std::to_string(launches)};
  std::vector<ptx_memory> memory;
  for (const auto &[base, bytes] : device_memory) memory.push_back({(void *)base, bytes});
  char error[1024] = "";
  static const uint64_t order = setting("FAKE_CUDA_ORDER", 0);
  if (ptx_launch(
          function.module, function.name.c_str(), blocks, threads, shared_bytes, parameters.data(), parameters.size(), memory.data(), memory.size(),
          order, error, sizeof error))
    throw Failure{launch_failed, error};
}

/// Why the device or the driver cannot take PTX, by what it says of itself; empty where they can.
std::string refusal(const char *ptx) {
  int major = 0, minor = 0, target = 0;
  char suffix = 0;
  const char *version = std::strstr(ptx, ".version "), *name = std::strstr(ptx, ".target sm_");
  if (!version || std::sscanf(version, ".version %d.%d", &major, &minor) != 2) return "the PTX has no version";
  if (!name || std::sscanf(name, ".target sm_%d%c", &target, &suffix) < 1) return "the PTX has no target";
  const int capability = device_capability(), driver = driver_version();
  // Versions of PTX come with those of CUDA; but for one that brought none.
  const int known = 1000 * (major + 4) + 10 * (major == 8 && minor >= 6 ? minor + 1 : minor);
  if (known > driver) return "the PTX is of a version that the driver does not know";
  if (suffix == 'a' ? target != capability : target > capability) return "the PTX is for other GPUs";
  return "";
}

}  // namespace

API cuModuleLoadDataEx(wamim_cuda_module *module, const void *image, uint32_t count, int32_t *options, void **values) {
  const Lock lock(mutex);
  if (broken) return broken;
  char error[1024] = "";
  const std::string refused = refusal((const char *)image);
  std::snprintf(error, sizeof error, "%s", refused.c_str());
  ptx_module *loaded = refused.empty() ? ptx_module_load((const char *)image, error, sizeof error) : nullptr;
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
  if (!known) known.reset(new Function{module->module, name, (size_t)parameters, 48 << 10});
  *function = known.get();
  return success;
}

API cuFuncSetAttribute(wamim_cuda_function handle, int32_t attribute, int32_t value) {
  const Lock lock(mutex);
  if (broken) return broken;
  if (attribute != WAMIM_CUDA_MOST_SHARED_BYTES || value < 0 || value > 227 << 10) return invalid_value;
  ((Function *)handle)->shared_bytes = value;
  return success;
}

API cuTensorMapEncodeTiled(
    void *map, int32_t type, uint32_t axes, void *address, const uint64_t *extents, const uint64_t *strides, const uint32_t *box,
    const uint32_t *steps, int32_t interleave, int32_t swizzle, int32_t, int32_t beyond) {
  const Lock lock(mutex);
  if (device_capability() < 90 || driver_version() < 12000) return not_found;
  if (type != WAMIM_CUDA_TENSOR_BFLOAT16 || interleave != WAMIM_CUDA_TENSOR_NO_INTERLEAVE || swizzle != WAMIM_CUDA_TENSOR_SWIZZLE_128_BYTES ||
      beyond != WAMIM_CUDA_TENSOR_ZEROS_BEYOND || std::any_of(steps, steps + axes, [](uint32_t step) { return step != 1; }))
    return fail(invalid_value, "an array is described to the copy engine in a way that is not emulated");
  if (const char *problem = ptx_encode_tensor_map(map, (uint64_t)address, axes, extents, strides, box)) return fail(invalid_value, problem);
  return success;
}

API cuLaunchKernel(
    wamim_cuda_function handle, uint32_t blocks, uint32_t blocks_y, uint32_t blocks_z, uint32_t threads, uint32_t threads_y,
    uint32_t threads_z, uint32_t shared_bytes, wamim_cuda_stream stream, void **parameters, void **) {
  const Lock lock(mutex);
  if (blocks_y * blocks_z * threads_y * threads_z != 1 || blocks == 0 || threads == 0 || threads > 1024)
    return fail(invalid_value, "a launch has too many threads, or what is not emulated");
  const Function *function = (Function *)handle;
  if (shared_bytes > function->shared_bytes) return fail(invalid_value, "a launch takes more shared memory than its function was given");
  // As the driver does, takes the parameters before it returns.
  std::vector<uint64_t> values;
  for (size_t i = 0; i < function->parameter_count; ++i) {
    const uint64_t *words = (uint64_t *)parameters[i];
    values.insert(values.end(), words, words + ptx_parameter_bytes(function->module, function->name.c_str(), i) / 8);
  }
  return enqueue((Stream *)stream, [=] { launch(*function, blocks, threads, shared_bytes, values); });
}
