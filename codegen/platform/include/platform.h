// What the runtime needs from the machine and cannot say in Swift: processor features, OpenBLAS where it is linked, signals.
#ifndef WAMIM_PLATFORM_H
#define WAMIM_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

/// Says whether this processor, and the operating system on it, support a feature that the compiler makes use of, by LLVM's name.
///
/// Asks the operating system to let this process use it, where that is needed.
bool wamim_processor_has(const char *name);

/// The number of processors that this process may run on; at least 1.
int32_t wamim_available_processors(void);

/// Keeps the calling thread on one of the processors that it may run on, the one of number `index` among them, counted round and round.
void wamim_keep_on_processor(int32_t index);

/// Names the calling thread in debuggers and profilers, which show the first 15 bytes.
void wamim_name_calling_thread(const char *name);

/// Makes OpenBLAS run each call on the thread that makes it; does nothing where OpenBLAS isn't linked.
void wamim_limit_blas_to_calling_thread(void);

/// BLAS's product of matrices in float32.
typedef void (*wamim_sgemm)(
    int order, int transpose_left, int transpose_right, int m, int n, int k, float alpha, const float *left, int left_stride,
    const float *right, int right_stride, float beta, float *result, int result_stride);

/// OpenBLAS's product, on the calling thread, or null where OpenBLAS isn't linked.
wamim_sgemm wamim_linked_sgemm(void);

/// The product of the BLAS in a shared library, on the calling thread; null where it can't be loaded, with the reason in `message`.
///
/// The library stays loaded. To be called while no other thread looks at the environment, which it changes.
wamim_sgemm wamim_loaded_sgemm(const char *library, const char **message);

/// Multiplies an m x k matrix by a k x n one, row-major.
void wamim_multiply(
    wamim_sgemm sgemm, int32_t m, int32_t n, int32_t k, const float *left, const float *right, float *result);

/// Makes the calling thread treat denormal numbers as zero, as they would slow it down a hundredfold; returns what it did before.
uint64_t wamim_flush_denormals(void);

/// Makes the calling thread treat denormal numbers as it did before `wamim_flush_denormals` returned `control`.
void wamim_restore_denormals(uint64_t control);

/// Tells the processor that the calling thread is waiting in a loop.
static inline void wamim_spin_hint(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

/// Makes signals that ask a process to end, or warn that it will be ended, set a flag instead.
///
/// A SIGINT or SIGTERM that comes a second or more after the first of them ends the process; those before are repeats. SIGUSR1, SIGUSR2,
/// SIGHUP and SIGXCPU never do, and stay ignored where they were.
void wamim_catch_interruptions(void);

/// Takes note of a signal that another process of the run got, as if it had come to this one; it asks to end and forces nothing.
void wamim_note_interruption(int32_t signal);

/// The first signal that has arrived since `wamim_catch_interruptions`, or 0.
int32_t wamim_interruption(void);

#endif
