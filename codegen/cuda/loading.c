#include "cuda_driver.h"

#include <dlfcn.h>

#define DEFINE(name, symbol, parameters, arguments) \
  static wamim_cuda_result(*loaded_##name) parameters; \
  wamim_cuda_result wamim_##name parameters { return loaded_##name ? loaded_##name arguments : WAMIM_CUDA_NOT_FOUND; }
WAMIM_CUDA_FUNCTIONS(DEFINE)
WAMIM_CUDA_LATER_FUNCTIONS(DEFINE)

// A pointer to a function out of one to an object, as POSIX has it of dlsym.
#define FIND(name, symbol, parameters, arguments) *(void **)&loaded_##name = dlsym(driver, #symbol);
#define LOAD(name, symbol, parameters, arguments) \
  FIND(name, symbol, parameters, arguments) \
  if (!loaded_##name && !missing) missing = #symbol;

wamim_cuda_opening wamim_cuda_open(const char *library, const char **message) {
  void *driver = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!driver) {
    *message = dlerror();
    return WAMIM_CUDA_MISSING;
  }
  const char *missing = 0;
  WAMIM_CUDA_FUNCTIONS(LOAD)
  WAMIM_CUDA_LATER_FUNCTIONS(FIND)
  *message = missing;
  return missing ? WAMIM_CUDA_INCOMPLETE : WAMIM_CUDA_OPENED;
}
