/* dns: questions to libunbound, which resolves and validates (DNSSEC) inside our loop: no thread, no child, no pipe; only sockets. All
 * that it opens or reads late is had by dns_create, so that it works in a cage that lets it make UDP and TCP sockets and nothing more. */
#ifndef SYSTEM_DNS_H
#define SYSTEM_DNS_H

#include "system/dns_message.h"
#include "system/loop.h"

struct dns;

struct dns_conf {
    const char *const *servers; /* "192.0.2.1@53": recursive servers that are asked */
    unsigned n_servers;         /* 0: resolved from the root of DNS downward */
    struct span
        anchors; /* text of a trust anchor file: DS or DNSKEY records, one a line. Empty: nothing is ever secure */
};

/* Null: *error says why (constant). */
struct dns *dns_create(struct loop *l, const struct dns_conf *c, const char **error);
/* Questions that are open get no answer. Not from within an answer. */
void dns_free(struct dns **d);

/* The answer is valid during the call only. */
typedef void dns_answer_fn(void *asker, const struct dns_answer *a);
/* Asks; each question gets one answer, within LIMIT_DNS_SECONDS, never before this returns. False: too many are open. */
MUST_USE bool dns_ask(struct dns *d, const struct dns_question *q, void *asker, dns_answer_fn *fn);
/* What is open is asked anew, by the same askers, with as much time as a fresh question. Not from within an answer. */
void dns_move(struct dns *from, struct dns *to);
/* This asker wants no answer any more. */
void dns_forget(struct dns *d, const void *asker);
unsigned dns_open(const struct dns *d);

#endif
