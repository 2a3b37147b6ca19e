/* cpu: what this processor can do, for functions that the dynamic linker chooses (attribute ifunc) before main: no state,
 * no test on each call, and the choice lies in memory that is read-only afterwards. A chooser runs before any sanitizer is
 * ready, so it and what it calls are marked CPU_CHOOSER. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>

#define CPU_CHOOSER __attribute__((no_sanitize("address", "undefined"), used)) static

CPU_CHOOSER inline bool cpu_has_crc32_and_clmul(void)
{
    unsigned a, b, c, d;
    __cpuid(1, a, b, c, d);
    return (c & bit_SSE4_2) && (c & bit_PCLMUL);
}

CPU_CHOOSER inline bool cpu_has_avx2(void)
{
    unsigned a, b, c, d, saved, high;
    __cpuid(0, a, b, c, d);
    if (a < 7) return false;
    __cpuid(1, a, b, c, d);
    if (!(c & bit_OSXSAVE)) return false;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if ((saved & 6) != 6) return false; /* the kernel does not keep the wide registers */
    __cpuid_count(7, 0, a, b, c, d);
    return (b & bit_AVX2) && (b & bit_BMI);
}

#endif
#endif
