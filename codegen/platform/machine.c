// Processor count and OpenBLAS.
#define _GNU_SOURCE
#include "platform.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
#endif

// Weak: a program without matmuls is linked without OpenBLAS. The second name is in an object of OpenBLAS that every matmul pulls in,
// which isn't so for the first where OpenBLAS is a static library.
__attribute__((weak)) void openblas_set_num_threads(int count);
__attribute__((weak)) void goto_set_num_threads(int count);
__attribute__((weak)) void cblas_sgemm(
    int order, int transpose_left, int transpose_right, int m, int n, int k, float alpha, const float *left, int left_stride,
    const float *right, int right_stride, float beta, float *result, int result_stride);

#if defined(__x86_64__)
// OpenBLAS takes its oldest code on processors that are newer than itself. Where nobody else has chosen, it is told which of its
// processors has this one's instructions, before it looks: its constructor has no priority, or the same, and is linked after this one.
static void choose_blas_instructions(void) {
  const char *core = NULL;
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq")) {
    core = "SkylakeX";
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    core = __builtin_cpu_is("amd") ? "Zen" : "Haswell";
  }
  if (core) setenv("OPENBLAS_CORETYPE", core, 0);
}

__attribute__((constructor(101))) static void choose_linked_blas_instructions(void) {
  if (cblas_sgemm) choose_blas_instructions();
}
#else
static void choose_blas_instructions(void) {}
#endif

void wamim_limit_blas_to_calling_thread(void) {
  if (openblas_set_num_threads) {
    openblas_set_num_threads(1);
  } else if (goto_set_num_threads) {
    goto_set_num_threads(1);
  }
}

wamim_sgemm wamim_linked_sgemm(void) {
  if (cblas_sgemm) wamim_limit_blas_to_calling_thread();
  return cblas_sgemm;
}

wamim_sgemm wamim_loaded_sgemm(const char *library, const char **message) {
  // Libraries start their threads as they are loaded.
  static const char *const counts[] = {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) setenv(counts[i], "1", 1);
  choose_blas_instructions();
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  void *sgemm = handle ? dlsym(handle, "cblas_sgemm") : NULL;
  if (!sgemm) *message = dlerror();
  return (wamim_sgemm)sgemm;
}

void wamim_multiply(
    wamim_sgemm sgemm, int32_t m, int32_t n, int32_t k, const float *left, const float *right, float *result) {
  enum { ROW_MAJOR = 101, AS_IT_LIES = 111 };
  sgemm(ROW_MAJOR, AS_IT_LIES, AS_IT_LIES, m, n, k, 1, left, k, right, n, 0, result, n);
}

uint64_t wamim_flush_denormals(void) {
#if defined(__x86_64__) || defined(__i386__)
  unsigned control = _mm_getcsr();
  // Bit 15 flushes denormal results to zero, bit 6 reads denormal operands as zero.
  _mm_setcsr(control | 0x8040);
  return control;
#elif defined(__aarch64__)
  uint64_t control;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(control));
  __asm__ __volatile__("msr fpcr, %0" : : "r"(control | (1u << 24)));
  return control;
#else
  return 0;
#endif
}

void wamim_restore_denormals(uint64_t control) {
#if defined(__x86_64__) || defined(__i386__)
  _mm_setcsr((unsigned)control);
#elif defined(__aarch64__)
  __asm__ __volatile__("msr fpcr, %0" : : "r"(control));
#else
  (void)control;
#endif
}

int32_t wamim_available_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    int count = CPU_COUNT(&set);
    if (count > 0) return count;
  }
  // More processors than a cpu_set_t holds.
  long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count > 0 ? (int32_t)count : 1;
}

void wamim_keep_on_processor(int32_t index) {
  cpu_set_t allowed, chosen;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) == 0) return;
  int left = index % CPU_COUNT(&allowed);
  CPU_ZERO(&chosen);
  for (int processor = 0; processor < CPU_SETSIZE; processor++) {
    if (!CPU_ISSET(processor, &allowed) || left-- > 0) continue;
    CPU_SET(processor, &chosen);
    break;
  }
  sched_setaffinity(0, sizeof chosen, &chosen);
}

void wamim_name_calling_thread(const char *name) {
  char shortened[16];
  strncpy(shortened, name, sizeof shortened - 1);
  shortened[sizeof shortened - 1] = 0;
  pthread_setname_np(pthread_self(), shortened);
}
