/* legacy: what a session of an old device lacks, that a server of today would ask of it. One table: the log, the report and the
 * manual derive from it. */
#ifndef POLICY_LEGACY_H
#define POLICY_LEGACY_H

#include "base/span.h"

enum legacy_need {                            /* a set */
                   LEGACY_TLS_FAILED = 1,     /* it tried TLS, in vain */
                   LEGACY_CLEAR_TEXT = 2,     /* no TLS */
                   LEGACY_CLEAR_PASSWORD = 4, /* its password could be read on the way */
                   LEGACY_NO_LOGIN = 8,       /* it sent without logging in */
                   LEGACY_TLS_1_0 = 16,
                   LEGACY_TLS_1_1 = 32,
                   LEGACY_OLD_CIPHER = 64, /* TLS 1.2 without authenticated encryption */
                   LEGACY_CRAM_MD5 = 128,
                   LEGACY_NTLM = 256,
};
#define LEGACY_NEEDS 9

struct legacy_row {
    enum legacy_need need;
    const char *name;   /* in the log */
    const char *advice; /* what to do about it, one sentence */
};
extern const struct legacy_row legacy_table[LEGACY_NEEDS];

struct legacy_facts {
    bool tls_tried, tls;   /* a handshake began; it was completed */
    struct span version;   /* "TLSv1", "TLSv1.1", "TLSv1.2" ... */
    struct span cipher;    /* by its name in OpenSSL */
    struct span mechanism; /* that it has logged in with; empty: it has not */
    bool shows_password;   /* that mechanism sends it as it is */
    uint32_t messages;
};

uint32_t legacy_needs(const struct legacy_facts *f);
/* The need of that name; 0: there is none. */
uint32_t legacy_need_find(struct span name);

#endif
