#include "base/crc32c.h"

#define POLYNOMIAL 0x82f63b78U /* reflected */

uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *q = p;
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= q[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (POLYNOMIAL & (0U - (crc & 1)));
    }
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

typedef uint64_t __attribute__((aligned(1), may_alias)) loose;

static inline uint64_t load(const uint8_t *p)
{
    return *(const volatile loose *)p; /* read exactly once: the other side may change it while we look */
}

__attribute__((target("sse4.2"))) static uint32_t hardware(uint32_t crc, const uint8_t *p, size_t n)
{
    uint64_t c = ~crc;
    for (; n >= 8; p += 8, n -= 8)
        c = _mm_crc32_u64(c, load(p));
    for (; n; p++, n--)
        c = _mm_crc32_u8((uint32_t)c, *p);
    return ~(uint32_t)c;
}

__attribute__((target("sse4.2"))) static uint32_t hardware_copy(uint32_t crc, uint8_t *to, const uint8_t *p,
                                                                size_t n)
{
    uint64_t c = ~crc;
    for (; n >= 8; p += 8, to += 8, n -= 8) {
        uint64_t v = load(p);
        memcpy(to, &v, sizeof v);
        c = _mm_crc32_u64(c, v);
    }
    for (; n; p++, n--) {
        *to = *(const volatile uint8_t *)p;
        c = _mm_crc32_u8((uint32_t)c, *to++);
    }
    return ~(uint32_t)c;
}

static bool has_hardware(void)
{
    return __builtin_cpu_supports("sse4.2") != 0;
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

static uint32_t hardware(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t v;
        memcpy(&v, p, sizeof v);
        crc = __crc32cd(crc, v);
    }
    for (; n; p++, n--)
        crc = __crc32cb(crc, *p);
    return ~crc;
}

static uint32_t hardware_copy(uint32_t crc, uint8_t *to, const uint8_t *p, size_t n)
{
    if (n) memcpy(to, p, n);
    return hardware(crc, to, n);
}

static bool has_hardware(void)
{
    return true;
}
#else
static uint32_t hardware(uint32_t crc, const uint8_t *p, size_t n)
{
    return crc32c_portable(crc, p, n);
}

static uint32_t hardware_copy(uint32_t crc, uint8_t *to, const uint8_t *p, size_t n)
{
    if (n) memcpy(to, p, n);
    return crc32c_portable(crc, to, n);
}

static bool has_hardware(void)
{
    return false;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    return has_hardware() ? hardware(crc, p, n) : crc32c_portable(crc, p, n);
}

uint32_t crc32c_copy(uint32_t crc, void *to, const void *from, size_t n)
{
    if (has_hardware()) return hardware_copy(crc, to, from, n);
    if (n) memcpy(to, from, n);
    return crc32c_portable(crc, to, n);
}
