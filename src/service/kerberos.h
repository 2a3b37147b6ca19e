/* kerberos: MIT's library as the acceptor of tickets, in the directory process. Its keys come from a keytab that was read before the
 * cage; it opens no file afterwards: no configuration, no replay cache of its own, no plugins (what it tries to open by name it does
 * not find: system/sandbox_calls.c). Only the mechanisms Kerberos 5 and SPNEGO with Kerberos 5 inside can ever be chosen. */
#ifndef SERVICE_KERBEROS_H
#define SERVICE_KERBEROS_H

#include "base/buf.h"
#include "config/config.h"
#include "service/login_reason.h"

/* What is wrong with a keytab (constant text), or null: it has a key that is of use. Pure. */
const char *kerberos_keytab_wrong(struct span text, const struct config_kerberos *c);

/* The keys and what was used lately; of the process, one at a time. Made before threads and cage: it changes the environment, so
 * that the library looks at nothing of this host. Null: *why (constant text). The text is not needed afterwards. */
struct kerberos;
struct kerberos *kerberos_create(struct span keytab, const struct config_kerberos *c, const char **why);
void kerberos_free(struct kerberos **k); /* after all acceptors; accepts null */

/* What a thread has for itself. Made before the cage. Null: the library has no memory, or does not know the mechanisms. */
struct kerberos_acceptor;
struct kerberos_acceptor *kerberos_acceptor_create(struct kerberos *k);
void kerberos_acceptor_free(struct kerberos_acceptor **a); /* accepts null */

struct kerberos_session { /* one client; zeroed at first */
    void *context;        /* the library's */
    bool anonymous,
        bound; /* after DONE: it says so itself (RFC 8062); its binding to the TLS session is ours */
    uint8_t principal[LIMIT_PRINCIPAL_NAME_OCTETS];
    size_t principal_n; /* after DONE; 0: too long */
    /* after kerberos_is_new: its ticket, unix seconds; clocks may differ by LIMIT_KERBEROS_CLOCK_SECONDS */
    uint64_t ends;
    enum login_reason reason; /* after REFUSED: TICKET, BINDING or MECHANISM */
    uint8_t detail[LIMIT_LOGIN_DETAIL_OCTETS];
    size_t detail_n; /* after REFUSED: the library's words, for the log; parts of it are hostile */
};
void kerberos_session_end(struct kerberos_session *s);

struct kerberos_tls { /* of the TLS session; empty: there is none */
    struct span end_point, exporter;
};

enum kerberos_result {
    KERBEROS_MORE, /* the client's turn */
    KERBEROS_DONE, /* its ticket is good. out may hold an answer that the client waits for */
    KERBEROS_REFUSED,
    KERBEROS_FAILED, /* no memory */
};
/* token: what gss_token_of let pass as spnego says (later ones: anything). bindings: null: they are not looked at. */
enum kerberos_result kerberos_accept(struct kerberos_acceptor *a, struct kerberos_session *s, bool spnego,
                                     struct span token, const struct kerberos_tls *bindings, struct buf *out);

/* A message to the client, signed and not encrypted, and one from it. False: that is no message of this session. */
MUST_USE bool kerberos_wrap(struct kerberos_session *s, struct span plain, struct buf *out);
MUST_USE bool kerberos_unwrap(struct kerberos_session *s, struct span message, struct buf *plain);

/* After DONE and all messages: ends the session, and says whether its first message is new here. */
MUST_USE bool kerberos_is_new(struct kerberos_acceptor *a, struct kerberos_session *s, uint64_t unix_seconds);

#endif
