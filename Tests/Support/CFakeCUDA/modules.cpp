// Modules and launches.
#include "state.hpp"

using namespace fake;

namespace {

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

}  // namespace

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
  if (!known) {
    known.reset(new Function{module->module, name, {}});
    for (int i = 0; i < parameters; ++i) known->parameters.push_back(ptx_parameter_words(module->module, name, i));
  }
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
  for (size_t i = 0; i < function->parameters.size(); ++i)
    values.insert(values.end(), (uint64_t *)parameters[i], (uint64_t *)parameters[i] + function->parameters[i]);
  return enqueue((Stream *)stream, [=] { launch(*function, blocks, threads, values); });
}
