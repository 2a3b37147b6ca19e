/* keytab: the keys of a service, in the file format of MIT's library (version 2, 0x0502). */
#ifndef SASL_KEYTAB_H
#define SASL_KEYTAB_H

#include "base/wire.h"

enum { KEYTAB_COMPONENTS = 2 };

struct keytab_key {
    struct span realm, components[KEYTAB_COMPONENTS]; /* smtp, mail.example.org */
    uint16_t n_components;                            /* all; only the first two are kept */
    uint32_t name_type, timestamp, version;           /* kvno */
    uint16_t encryption;                              /* RFC 3961 8 */
    struct span key;
};

struct keytab { /* where one is */
    struct wire w;
};

enum keytab_found { KEYTAB_KEY, KEYTAB_END, KEYTAB_BROKEN };

/* False: it is no keytab. The spans of keys point into text. */
MUST_USE bool keytab_begin(struct keytab *k, struct span text);
/* The next key. BROKEN: a length in it is wrong; there is nothing behind it then. */
enum keytab_found keytab_next(struct keytab *k, struct keytab_key *ret);

/* AES (RFC 3962, RFC 8009) and Camellia (RFC 6803), with a key of their length: what is not older than 2005. */
bool keytab_key_is_strong(const struct keytab_key *k);
/* Those, best first; ends with 0. */
extern const int32_t keytab_encryptions[];

#endif
