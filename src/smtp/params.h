/* params: ESMTP parameters of MAIL and RCPT (RFC 5321 4.1.2, 1870, 3030, 3461, 4954, 6152, 6531). */
#ifndef SMTP_PARAMS_H
#define SMTP_PARAMS_H

#include "base/span.h"

enum body_type { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };
enum dsn_ret { DSN_RET_NONE, DSN_RET_FULL, DSN_RET_HDRS };
enum {
    DSN_NOTIFY_NEVER = 1,
    DSN_NOTIFY_SUCCESS = 2,
    DSN_NOTIFY_FAILURE = 4,
    DSN_NOTIFY_DELAY = 8
}; /* 0: not given */

struct mail_params {
    bool has_size, has_body, smtputf8, has_auth;
    uint64_t size; /* octets; valid with has_size */
    enum body_type body;
    enum dsn_ret ret;
    struct span envid; /* xtext as written, checked; empty when absent */
    struct span auth;  /* xtext as written; "<>" or a mailbox */
};

struct rcpt_params {
    uint8_t notify;    /* DSN_NOTIFY_* set */
    struct span orcpt; /* "addr-type;xtext" as written, checked; empty when absent */
};

enum params_error {
    PARAMS_OK,
    PARAMS_SYNTAX,    /* 501 5.5.4 */
    PARAMS_UNKNOWN,   /* 555 5.5.4: unknown or not offered parameter */
    PARAMS_TWICE,     /* 501 5.5.4: the same parameter twice */
    PARAMS_SIZE_HUGE, /* 552 5.3.4: digits beyond uint64 */
};

/* What the session offers: a parameter that was not offered is unknown. */
enum {
    PARAMS_SIZE = 1,
    PARAMS_BODY = 2,
    PARAMS_BINARY = 4,
    PARAMS_SMTPUTF8 = 8,
    PARAMS_DSN = 16,
    PARAMS_AUTH = 32
};

/* in: what follows '>' in the command, with its leading blanks. *bad is the offending parameter (for an escaped echo).
 * Values are spans into in; decoded xtext must hold no control character. */
enum params_error params_mail(struct span in, unsigned offered, struct mail_params *ret, struct span *bad);
enum params_error params_rcpt(struct span in, unsigned offered, struct rcpt_params *ret, struct span *bad);

/* BDAT argument: size SP [LAST]. */
enum chunk_error {
    CHUNK_OK,
    CHUNK_BAD_SIZE, /* size unreadable: nothing can be swallowed, 501 5.5.4 and the session must end */
    CHUNK_BAD_REST, /* size known, the rest is wrong: swallow *size octets, then 501 5.5.4 */
};
enum chunk_error params_chunk(struct span in, uint64_t *size, bool *last);

#endif
