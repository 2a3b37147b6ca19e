/* connect: inside. connect.c: questions and their end; connect_lookup.c: what is asked of the resolver; connect_mx.c: the hosts of a next
 * hop; connect_host.c: addresses and TLSA records of one; connect_socket.c: the race; connect_explain.c: the same for people; connect_permit.c: what the configuration permits;
 * connect_memory.c: what worked before. */
#ifndef SERVICE_CONNECT_PRIVATE_H
#define SERVICE_CONNECT_PRIVATE_H

#include "base/list.h"
#include "policy/race.h"
#include "policy/reach.h"
#include "service/connect.h"
#include "service/connect_memory.h"

struct attempt;

enum lookup_kind { LOOKUP_MX, LOOKUP_A, LOOKUP_AAAA, LOOKUP_TLSA, LOOKUP_TLSA_ALIAS, LOOKUP_KIND_COUNT };

struct
    lookup { /* one question to the resolver; its tag is its place in the table, and how often that was used */
    struct attempt *attempt; /* null: free */
    uint32_t uses, next_free;
    uint16_t host;       /* index; of all but MX */
    uint8_t kind, again; /* how often it was asked anew */
    uint8_t name_octets;
    char name[LIMIT_DOMAIN_OCTETS + 1];
};

enum host_state { HOST_UNASKED, HOST_ASKED, HOST_DONE };

struct tlsa_set {
    uint32_t n, n_shown; /* usable ones; behind them others, for people */
    uint16_t octets[CONNECT_TLSA];
    uint8_t records[CONNECT_TLSA][CONNECT_TLSA_OCTETS];
};

struct host {
    struct span name; /* in text, lower case */
    uint8_t text[LIMIT_DOMAIN_OCTETS];
    uint16_t preference, port;
    uint8_t state; /* enum host_state */
    bool literal;  /* an address that the configuration names, or that the sender wrote as a domain literal */
    struct address address;           /* literal */
    bool asked[LOOKUP_KIND_COUNT];    /* open */
    uint8_t heard[LOOKUP_KIND_COUNT]; /* for people: enum dns_status of the answer + 1 */
    const char *why_not;              /* for people: what was noted of it as a whole; null: nothing */
    bool ours;                        /* it is we, or no better than we are */
    bool address_insecure;            /* an answer about its addresses was not secure */
    bool address_failed;              /* a look-up of addresses failed: later it may be there */
    bool half;        /* it is tried with one family; the other one's addresses may still come */
    uint64_t late_ms; /* until then the other family is waited for; 0: not yet */
    uint32_t n_v4, n_v6;
    struct address v4[LIMIT_MX_ADDRESSES], v6[LIMIT_MX_ADDRESSES];
    uint8_t dane; /* enum connect_tlsa, when it is known */
    bool tlsa_failed, tlsa_alias_failed;
    struct tlsa_set *tlsa; /* records under the name or, when it is set, the alias */
    bool tlsa_of_alias;
    uint8_t alias_octets;
    char alias[LIMIT_DOMAIN_OCTETS + 1]; /* where a secure chain of aliases ends, when that is elsewhere */
};

struct runner { /* beside its race.runners */
    struct watch watch;
    struct attempt *attempt;
    struct address address;
    uint16_t host;
    int fd; /* -1: none */
};

enum hosts_by { HOSTS_NONE, HOSTS_MX, HOSTS_DOMAIN, HOSTS_LITERAL, HOSTS_ROUTE };

struct attempt {
    struct list place; /* in connect.attempts */
    struct connect *connect;
    const void *asker;
    struct timer timer;
    uint64_t tag, begun_ms, deadline_ms, dns_ms;
    struct next_hop hop; /* name: in hop_name; no user */
    uint8_t hop_name[LIMIT_NEXT_HOP_OCTETS];
    struct span
        domain; /* MX: the name of the hop as DNS knows it (A-labels), in domain_text; empty: it cannot be such a name */
    uint8_t domain_text[LIMIT_DOMAIN_OCTETS];
    enum reach_scope scope;
    bool mx_secure;            /* the list of hosts was learnt through DNSSEC, or from the configuration */
    bool temporary;            /* something failed that may be mended by time */
    bool started;              /* some connection was tried */
    const struct runner *lost; /* whose connection failed last; null: nobody's, or it is a socket */
    bool loops;                /* one of the hosts is we */
    bool dns_failed;           /* of the temporary failures one was DNS' */
    bool explains;             /* for people: nothing is connected to */
    uint8_t hosts_by;          /* enum hosts_by */
    bool ended;                /* answered: to be freed by who is working on it */
    bool starved;              /* no socket is to be had: tried again soon */
    uint32_t open_lookups;
    uint32_t n_tried;
    struct connect_tried tried[CONNECT_TRIED];
    uint32_t n_hosts, next_host;
    struct host *hosts;
    struct race race;
    struct runner runners[RACE_RUNNERS];
    size_t text_n;
    uint8_t text[LIMIT_RESULT_TEXT_OCTETS];
};

struct connect {
    struct loop *loop;
    const struct config *config;
    struct connect_hooks hooks;
    void *context;
    uint64_t seed;
    struct connect_memory *memory;
    struct list attempts;
    struct lookup *lookups;
    uint32_t n_lookups, free_lookup, open_lookups;
    struct connect_counts counts;
};

/* connect.c. After an attempt was answered (it is `ended`) it is not to be worked on; the caller of whatever ended it frees it. */
void attempt_open(struct attempt *a, struct runner *r);
void attempt_end(struct attempt *a, enum connect_status status, const char *enhanced, struct span text);
/* Adds "what: why" to the text for people, as far as there is room. */
void attempt_note(struct attempt *a, struct span what, const char *why, struct span detail);
/* Does what is to be done now, says when to look again, and frees what ended: the last thing that an event calls. */
void attempt_go_on(struct attempt *a);

/* Everything was tried, or nothing could be: ends with what was noted. */
void attempt_end_in_vain(struct attempt *a);
/* attempt_go_on again, at this time at the latest. */
void attempt_look_again(struct attempt *a, uint64_t at);

/* connect_lookup.c */
bool lookup_ask(struct attempt *a, enum lookup_kind kind, uint16_t host, struct span name);
void lookup_forget(struct attempt *a);
/* What an answer is to; null: to nothing (any more). It is open no more. */
bool lookup_take(struct connect *c, uint64_t tag, struct lookup *ret);

/* connect_mx.c */
void host_begin(struct attempt *a);
void host_mx_answer(struct attempt *a, const struct dns_answer *d);

/* connect_host.c */
/* For the text: "host[address]:port" (address may be null) and why. */
void host_note(struct attempt *a, const struct host *h, const struct address *address, const char *why,
               struct span detail);
void host_ask(struct attempt *a, uint16_t host);
void host_answer(struct attempt *a, const struct lookup *l, const struct dns_answer *d);
/* Null: it may be connected to, or why not. */
const char *host_refuses(const struct attempt *a, const struct host *h, const struct address *address);
/* We listen there ourselves. */
bool host_address_is_ours(const struct attempt *a, const struct host *h, const struct address *address);
/* Goes on with hosts whose other family is late; when to look again, or UINT64_MAX. */
uint64_t host_late(struct attempt *a);
/* One of the hosts, of that preference, is we: it and those that are no better are out. */
void host_is_ours(struct attempt *a, uint16_t preference);

/* connect_socket.c */
void runner_start(struct attempt *a, uint32_t i);
/* Ends those that took too long; when the next will have. */
uint64_t runner_overdue(struct attempt *a);
void runner_stop(struct runner *r);

/* connect_explain.c: what is to be done instead of connecting, and the end. */
void attempt_explain(struct attempt *a);
void attempt_explain_end(struct attempt *a, enum connect_status status, const char *enhanced,
                         struct span text);

/* There was no attempt. */
void attempt_explain_refused(struct connect *c, const void *asker, uint64_t tag,
                             const struct connect_answer *no);

/* connect_permit.c */
/* Some route of the configuration leads there. */
bool permit_hop(const struct config *c, const struct next_hop *h);
/* One of our own listeners is at that address and port. here: the address is known to be this host's, so that those that listen on every
 * address count. */
bool permit_is_listener(const struct config *c, const struct address *a, uint16_t port, bool here);

#endif
