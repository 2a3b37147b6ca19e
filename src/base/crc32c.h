/* crc32c: CRC-32C (Castagnoli, RFC 3720 B.4), in hardware where there is some. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/span.h"

/* crc: 0 at first, then what was returned for the octets before. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* Copies n octets and returns the CRC of the copy, whatever happens to the original meanwhile. The areas must not overlap. */
uint32_t crc32c_copy(uint32_t crc, void *to, const void *from, size_t n);
/* The portable way, for tests and machines without the instruction. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
