/* md4: RFC 1320. For nothing but the NT hash, which is defined by it: a broken digest that OpenSSL 3 keeps in a module of its own
 * (the legacy provider), which would have to be loaded for the whole process and from a file. */
#ifndef IDENTITY_MD4_H
#define IDENTITY_MD4_H

#include "base/span.h"

void md4(struct span text, uint8_t ret[16]);

#endif
