/* md5_from: MD5 that goes on from the state which a first block left: what CRAM-MD5 stores of a password, and how it is used (OpenSSL). */
#ifndef TESTS_MD5_FROM_H
#define TESTS_MD5_FROM_H

#include "sasl/cram.h"

bool md5_from(void *context, const uint8_t state[16], struct span rest, uint8_t ret[16]); /* cram_md5_fn */
/* The two contexts of a password of at most 64 octets. */
void md5_from_password(struct span password, uint8_t contexts[32]);

#endif
