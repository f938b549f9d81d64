// Processor features, asked from the processor itself.
#include "platform.h"

#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

enum { EAX, EBX, ECX, EDX };

// What the operating system has to save for a feature's registers to survive.
enum { NO_STATE = 0, AVX_STATE = 0x6, AVX512_STATE = 0xE6, AMX_STATE = 0x60000 };

typedef struct {
  const char *name;
  uint32_t leaf, subleaf;
  uint32_t word, bit;
  uint32_t state;
} feature;

static const feature features[] = {
    {"sse", 1, 0, EDX, 25, NO_STATE},
    {"sse2", 1, 0, EDX, 26, NO_STATE},
    {"sse3", 1, 0, ECX, 0, NO_STATE},
    {"pclmul", 1, 0, ECX, 1, NO_STATE},
    {"ssse3", 1, 0, ECX, 9, NO_STATE},
    {"fma", 1, 0, ECX, 12, AVX_STATE},
    {"cx16", 1, 0, ECX, 13, NO_STATE},
    {"sse4.1", 1, 0, ECX, 19, NO_STATE},
    {"sse4.2", 1, 0, ECX, 20, NO_STATE},
    {"movbe", 1, 0, ECX, 22, NO_STATE},
    {"popcnt", 1, 0, ECX, 23, NO_STATE},
    {"aes", 1, 0, ECX, 25, NO_STATE},
    {"xsave", 1, 0, ECX, 26, NO_STATE},
    {"avx", 1, 0, ECX, 28, AVX_STATE},
    {"f16c", 1, 0, ECX, 29, AVX_STATE},
    {"rdrnd", 1, 0, ECX, 30, NO_STATE},
    {"fsgsbase", 7, 0, EBX, 0, NO_STATE},
    {"bmi", 7, 0, EBX, 3, NO_STATE},
    {"avx2", 7, 0, EBX, 5, AVX_STATE},
    {"bmi2", 7, 0, EBX, 8, NO_STATE},
    {"avx512f", 7, 0, EBX, 16, AVX512_STATE},
    {"avx512dq", 7, 0, EBX, 17, AVX512_STATE},
    {"rdseed", 7, 0, EBX, 18, NO_STATE},
    {"adx", 7, 0, EBX, 19, NO_STATE},
    {"avx512ifma", 7, 0, EBX, 21, AVX512_STATE},
    {"clflushopt", 7, 0, EBX, 23, NO_STATE},
    {"clwb", 7, 0, EBX, 24, NO_STATE},
    {"avx512cd", 7, 0, EBX, 28, AVX512_STATE},
    {"sha", 7, 0, EBX, 29, NO_STATE},
    {"avx512bw", 7, 0, EBX, 30, AVX512_STATE},
    {"avx512vl", 7, 0, EBX, 31, AVX512_STATE},
    {"avx512vbmi", 7, 0, ECX, 1, AVX512_STATE},
    {"avx512vbmi2", 7, 0, ECX, 6, AVX512_STATE},
    {"gfni", 7, 0, ECX, 8, NO_STATE},
    {"vaes", 7, 0, ECX, 9, AVX_STATE},
    {"vpclmulqdq", 7, 0, ECX, 10, AVX_STATE},
    {"avx512vnni", 7, 0, ECX, 11, AVX512_STATE},
    {"avx512bitalg", 7, 0, ECX, 12, AVX512_STATE},
    {"avx512vpopcntdq", 7, 0, ECX, 14, AVX512_STATE},
    {"avx512vp2intersect", 7, 0, EDX, 8, AVX512_STATE},
    {"amx-bf16", 7, 0, EDX, 22, AMX_STATE},
    {"avx512fp16", 7, 0, EDX, 23, AVX512_STATE},
    {"amx-tile", 7, 0, EDX, 24, AMX_STATE},
    {"amx-int8", 7, 0, EDX, 25, AMX_STATE},
    {"avxvnni", 7, 1, EAX, 4, AVX_STATE},
    {"avx512bf16", 7, 1, EAX, 5, AVX512_STATE},
    {"avxifma", 7, 1, EAX, 23, AVX_STATE},
    {"xsaveopt", 0xD, 1, EAX, 0, NO_STATE},
    {"xsavec", 0xD, 1, EAX, 1, NO_STATE},
    {"lzcnt", 0x80000001u, 0, ECX, 5, NO_STATE},
    {"sse4a", 0x80000001u, 0, ECX, 6, NO_STATE},
    {"prfchw", 0x80000001u, 0, ECX, 8, NO_STATE},
    {"xop", 0x80000001u, 0, ECX, 11, AVX_STATE},
    {"fma4", 0x80000001u, 0, ECX, 16, AVX_STATE},
    {"tbm", 0x80000001u, 0, ECX, 21, NO_STATE},
};

// The register states that the operating system saves, or 0 where it doesn't say.
static uint64_t saved_states(void) {
  uint32_t eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & (1u << 27))) return 0;
  uint32_t low, high;
  __asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

int32_t wamim_processor_feature(const char *name) {
  for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
    const feature *f = &features[i];
    if (strcmp(f->name, name) != 0) continue;
    uint32_t words[4] = {0, 0, 0, 0};
    if (!__get_cpuid_count(f->leaf, f->subleaf, &words[EAX], &words[EBX], &words[ECX], &words[EDX])) {
      return WAMIM_FEATURE_ABSENT;
    }
    if (!((words[f->word] >> f->bit) & 1)) return WAMIM_FEATURE_ABSENT;
    return (saved_states() & f->state) == f->state ? WAMIM_FEATURE_PRESENT : WAMIM_FEATURE_ABSENT;
  }
  return WAMIM_FEATURE_UNKNOWN;
}

#else
#include <sys/auxv.h>

int32_t wamim_processor_feature(const char *name) {
#if defined(__aarch64__)
  // The bits of AT_HWCAP, which Linux has fixed for this architecture.
  static const struct {
    const char *name;
    uint32_t bit;
  } features[] = {{"neon", 1}, {"fp-armv8", 0}, {"fullfp16", 10}, {"dotprod", 20}, {"sve", 22}};
  for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
    if (strcmp(features[i].name, name) == 0) {
      return (getauxval(AT_HWCAP) >> features[i].bit) & 1 ? WAMIM_FEATURE_PRESENT : WAMIM_FEATURE_ABSENT;
    }
  }
#endif
  (void)name;
  return WAMIM_FEATURE_UNKNOWN;
}
#endif
