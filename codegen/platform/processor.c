// Processor features, asked from the processor itself.
#include "platform.h"

#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EAX, EBX, ECX, EDX };

// What the operating system has to save for a feature's registers to survive.
enum { NO_STATE = 0, AVX_STATE = 0x6, AVX512_STATE = 0xE6, MATRIX_STATE = 0x600E6 };

typedef struct {
  const char *name;
  uint32_t leaf, subleaf;
  uint32_t word, bit;
  uint32_t state;
} feature;

// Those that the compiler makes use of, as its ProcessorTable names them.
static const feature features[] = {
    {"sse3", 1, 0, ECX, 0, NO_STATE},
    {"ssse3", 1, 0, ECX, 9, NO_STATE},
    {"fma", 1, 0, ECX, 12, AVX_STATE},
    {"sse4.1", 1, 0, ECX, 19, NO_STATE},
    {"sse4.2", 1, 0, ECX, 20, NO_STATE},
    {"avx", 1, 0, ECX, 28, AVX_STATE},
    {"f16c", 1, 0, ECX, 29, AVX_STATE},
    {"bmi", 7, 0, EBX, 3, NO_STATE},
    {"avx2", 7, 0, EBX, 5, AVX_STATE},
    {"bmi2", 7, 0, EBX, 8, NO_STATE},
    {"avx512f", 7, 0, EBX, 16, AVX512_STATE},
    {"avx512dq", 7, 0, EBX, 17, AVX512_STATE},
    {"avx512bw", 7, 0, EBX, 30, AVX512_STATE},
    {"avx512vl", 7, 0, EBX, 31, AVX512_STATE},
    {"avx512bf16", 7, 1, EAX, 5, AVX512_STATE},
    {"amx-bf16", 7, 0, EDX, 22, MATRIX_STATE},
    {"amx-tile", 7, 0, EDX, 24, MATRIX_STATE},
};

// The register states that the operating system saves, or 0 where it doesn't say.
static uint64_t saved_states(void) {
  uint32_t eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & (1u << 27))) return 0;
  uint32_t low, high;
  __asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

// Linux lets a process use the registers of AMX, which are large, only after it has asked.
static bool is_permitted(uint32_t state) {
  enum { REQUEST_PERMISSION = 0x1023, MATRIX_REGISTERS = 18 };
  if (state != MATRIX_STATE) return true;
#if defined(__x86_64__) && defined(SYS_arch_prctl)
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, MATRIX_REGISTERS) == 0;
#else
  return false;
#endif
}

bool wamim_processor_has(const char *name) {
  for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
    const feature *f = &features[i];
    if (strcmp(f->name, name) != 0) continue;
    uint32_t words[4] = {0, 0, 0, 0};
    if (!__get_cpuid_count(f->leaf, f->subleaf, &words[EAX], &words[EBX], &words[ECX], &words[EDX])) return false;
    return (words[f->word] >> f->bit) & 1 && (saved_states() & f->state) == f->state && is_permitted(f->state);
  }
  return false;
}

#else
#include <sys/auxv.h>

bool wamim_processor_has(const char *name) {
  // Bits of AT_HWCAP and AT_HWCAP2, which Linux has fixed for this architecture.
  const unsigned long neon = 1 << 1, bf16 = 1 << 14;
  if (strcmp(name, "bf16") == 0) return getauxval(AT_HWCAP2) & bf16;
  return strcmp(name, "neon") == 0 && getauxval(AT_HWCAP) & neon;
}
#endif
