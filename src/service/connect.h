/* connect: finds the hosts of a next hop, their addresses and TLSA records, races connections to them, and hands over the first that
 * stands. Thousands at once; nothing here waits for anything but the loop. Who may be connected to is decided here, from the
 * configuration alone: whoever asks is not trusted to know addresses. */
#ifndef SERVICE_CONNECT_H
#define SERVICE_CONNECT_H

#include "config/config.h"
#include "service/connect_message.h"
#include "system/dns_message.h"
#include "system/loop.h"

struct connect;

struct connect_hooks {
    /* Asks the resolver. False: it cannot be asked now; connect_dns_again follows. */
    bool (*ask)(void *context, const struct dns_question *q);
    /* The answer to one question. fd: the socket of CONNECT_OPEN, closed when this returns; else -1. Nothing of `connect` may be called
     * from within. */
    void (*answer)(void *context, const void *asker, const struct connect_answer *a, int fd);
    /* The answer to one connect_explain, in the same way; null: it is never asked. */
    void (*explained)(void *context, const void *asker, uint64_t tag, struct span rows);
};

/* Null: no memory. seed: chooses among equals. */
struct connect *connect_create(struct loop *l, const struct config *config, const struct connect_hooks *hooks,
                               void *context, uint64_t seed);
void connect_free(struct connect **c);
/* The configuration before may go after this. */
void connect_config(struct connect *c, const struct config *fresh);
/* Each question gets one answer, within LIMIT_CONNECT_TOTAL_SECONDS; perhaps before this returns. */
void connect_ask(struct connect *c, const void *asker, const struct connect_question *q);
/* The same for a service that the configuration names. */
void connect_ask_service(struct connect *c, const void *asker, const struct connect_service_question *q);
/* The same look-ups and the same rules, for people: all hosts, and no connection. q->tried is not heeded. One `explained`, within
 * LIMIT_EXPLAIN_SECONDS; perhaps before this returns. Its rows are JSON, one object a line, at most CONNECT_ROWS_OCTETS:
 *   {"host":"…","preference":N,"port":N,"used":BOOL,"why_not":"…","a":"ok|no-name|no-data|failed|bogus","aaaa":"…","tlsa":"…","secure":BOOL,
 *    "addresses":[{"address":"…","refused":"…","lately":"answered|silent"}],"alias":"…","tlsa_records":[{"record":"3 1 1 …","usable":BOOL}],
 *    "tls":"what TLS would have to be"} for each host in the order of the attempt (preference: of MX only), or {"socket":"…"}; hosts for
 *   which there is no room are left out; and at last
 *   {"hosts_by":"mx|domain|literal|route|none","hosts_secure":BOOL,"hosts":N,"outcome":"tried|deferred|failed","status":"…","text":"…",
 *    "dns_ms":N}. */
#define CONNECT_ROWS_OCTETS (LIMIT_IPC_MESSAGE_OCTETS - 512)
void connect_explain(struct connect *c, const void *asker, const struct connect_question *q);
/* This asker wants no answers any more. */
void connect_forget(struct connect *c, const void *asker);
void connect_dns_answer(struct connect *c, const struct dns_answer *a);
/* There is a new conversation with a resolver: what is open is asked again, a few times. */
void connect_dns_again(struct connect *c);

struct connect_counts {
    uint64_t questions, opened, deferred, failed;
    uint32_t open, sockets, lookups;
};
struct connect_counts connect_count(const struct connect *c);

#endif
