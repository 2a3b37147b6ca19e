/* mechanism: the SASL mechanisms that this program has heard of (RFC 4422), in the order in which they are offered. One table: the
 * EHLO line, the configuration, the directory's conversations and the documentation derive from it. */
#ifndef SASL_MECHANISM_H
#define SASL_MECHANISM_H

#include "base/buf.h"

enum mechanism {
    MECHANISM_SCRAM_SHA_256_PLUS,
    MECHANISM_SCRAM_SHA_256,
    MECHANISM_SCRAM_SHA_1_PLUS,
    MECHANISM_SCRAM_SHA_1,
    MECHANISM_EXTERNAL,
    MECHANISM_GSSAPI,
    MECHANISM_GSS_SPNEGO,
    MECHANISM_NTLM,
    MECHANISM_OAUTHBEARER,
    MECHANISM_XOAUTH2,
    MECHANISM_CRAM_MD5,
    MECHANISM_PLAIN,
    MECHANISM_LOGIN,
    MECHANISM_COUNT
};
#define MECHANISM_BIT(m) (UINT32_C(1) << (m)) /* sets of mechanisms */
#define MECHANISM_ALL    (MECHANISM_BIT(MECHANISM_COUNT) - 1)

enum {                              /* flags */
       MECHANISM_SECRET = 1,        /* what crosses the wire is the secret itself: TLS hides it */
       MECHANISM_BINDS = 2,         /* needs a channel binding: TLS, and a key exported from it */
       MECHANISM_CERTIFICATE = 4,   /* needs a client certificate */
       MECHANISM_SLOW = 8,          /* its check takes milliseconds of CPU */
       MECHANISM_LEGACY = 16,       /* for old devices: must be named in the configuration */
       MECHANISM_SERVER_FIRST = 32, /* the server has the first word: an initial response is an error */
       MECHANISM_TLS = 64,          /* not in clear text, whatever the configuration permits */
       MECHANISM_MAY_BIND = 128,    /* a channel binding counts where the client has one */
};
/* Those that need tokens { } in the configuration, and are offered unasked where it is. */
#define MECHANISM_TOKENS (MECHANISM_BIT(MECHANISM_OAUTHBEARER) | MECHANISM_BIT(MECHANISM_XOAUTH2))
/* The same with kerberos { }. */
#define MECHANISM_KERBEROS  (MECHANISM_BIT(MECHANISM_GSSAPI) | MECHANISM_BIT(MECHANISM_GSS_SPNEGO))
#define MECHANISM_PASSWORDS (MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_LOGIN))
/* What may be Dovecot's to check. Not EXTERNAL: nobody vouches for a certificate here. Not NTLM: its first version would be let in. */
#define MECHANISM_DOVECOT                                                                                    \
    (MECHANISM_PASSWORDS | MECHANISM_TOKENS | MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) |                       \
     MECHANISM_BIT(MECHANISM_SCRAM_SHA_1) | MECHANISM_BIT(MECHANISM_CRAM_MD5))
/* Offered where the configuration names none: those that need nothing but an account. */
#define MECHANISM_DEFAULT                                                                                    \
    (MECHANISM_BIT(MECHANISM_SCRAM_SHA_256_PLUS) | MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) |                  \
     MECHANISM_PASSWORDS)

struct mechanism_row {
    enum mechanism mechanism;
    const char *name; /* as on the wire, upper case; RFC 4422 3.1 */
    uint8_t flags;
    const char *reference; /* RFC and section */
    const char *help;      /* one line for the documentation */
};

extern const struct mechanism_row mechanism_table[MECHANISM_COUNT];

/* By name, any case, the whole word; null: unknown. */
const struct mechanism_row *mechanism_find(struct span name);

struct mechanism_facts {       /* of a session */
    bool tls, clear;           /* clear: this client may log in without TLS */
    bool binding, certificate; /* TLS gave an exporter; the client has shown a certificate */
};
/* Why it cannot succeed in such a session, half a sentence for `explain`; null: it can, and is offered where it is configured. */
const char *mechanism_why_not(enum mechanism m, const struct mechanism_facts *f);
/* Those of a set that can succeed. Without TLS and without permission none is. */
uint32_t mechanism_offered(uint32_t set, const struct mechanism_facts *f);
/* Whether one of a set has that flag. */
bool mechanism_any(uint32_t set, uint8_t flag);
/* Appends the names of a set, best first, one blank between them. */
void mechanism_put_names(struct buf *b, uint32_t set);

#endif
