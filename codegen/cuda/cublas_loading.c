#include "cublas_lt.h"

#include <dlfcn.h>

#define DEFINE(name, parameters, arguments) \
  static wamim_cublas_result(*loaded_##name) parameters; \
  wamim_cublas_result wamim_##name parameters { return loaded_##name ? loaded_##name arguments : WAMIM_CUBLAS_NOT_SUPPORTED; }
WAMIM_CUBLAS_FUNCTIONS(DEFINE)

// A pointer to a function out of one to an object, as POSIX has it of dlsym.
#define LOAD(name, parameters, arguments) \
  *(void **)&loaded_##name = dlsym(opened, #name); \
  if (!loaded_##name) missing = #name;

const char *wamim_cublas_open(const char *library) {
  void *opened = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!opened) return dlerror();
  const char *missing = 0;
  WAMIM_CUBLAS_FUNCTIONS(LOAD)
  return missing;
}
