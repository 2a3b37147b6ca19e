/* connect_message: relay, directory and connector. The relay names a next hop; the connector asks the resolver, chooses an address, connects and
 * passes the socket on. When a session to one candidate failed in a way that another may mend (no connection, a 4xx greeting), the
 * relay asks again and lists the addresses that it has tried. */
#ifndef SERVICE_CONNECT_MESSAGE_H
#define SERVICE_CONNECT_MESSAGE_H

#include "policy/network.h"
#include "policy/next_hop.h"

#define CONNECT_TRIED       16  /* addresses tried in one attempt; then the attempt is over */
#define CONNECT_TLSA        16  /* records handed on */
#define CONNECT_TLSA_OCTETS 512 /* of one record */

struct connect_tried {
    struct address address;
    uint16_t port;
};

struct connect_question { /* relay -> connector */
    uint64_t tag;
    struct next_hop hop;
    uint32_t n_tried;
    struct connect_tried tried[CONNECT_TRIED];
};

enum connect_service { /* of the configuration; whoever asks names it, never a path or an address */
                       CONNECT_SERVICE_DOVECOT,
                       CONNECT_SERVICE_COUNT
};
struct connect_service_question { /* directory -> connector; a connect_answer comes back */
    uint64_t tag;
    uint8_t service; /* enum connect_service */
};
#define CONNECT_SERVICE_QUESTION_OCTETS 9

enum connect_status {
    CONNECT_OPEN,  /* a connected stream socket comes along */
    CONNECT_DEFER, /* not now: text says why; nothing further to try in this attempt */
    CONNECT_FAIL, /* never: no such domain, null MX (5.1.10), loops back to us (5.4.6), address that may not be used */
    CONNECT_STATUS_COUNT
};

enum connect_tlsa {                       /* what DNS says of DANE for this host */
                    CONNECT_TLSA_NONE,    /* no secure TLSA record: insecure zone, or securely absent */
                    CONNECT_TLSA_RECORDS, /* secure records: usable ones (usage 2, 3), and others */
                    CONNECT_TLSA_UNUSABLE, /* secure records, none usable: TLS, without authentication (RFC 7672 2.2) */
                    CONNECT_TLSA_COUNT /* a failed or bogus look-up is CONNECT_DEFER for that host */
};

struct connect_answer { /* connector -> relay */
    uint64_t tag;
    uint8_t status;    /* enum connect_status */
    uint8_t dane;      /* enum connect_tlsa */
    bool dns_secure;   /* the host's name was learnt through DNSSEC (or is literally configured) */
    char enhanced[12]; /* DEFER and FAIL: "4.4.1"; NUL-terminated */
    struct span text;  /* DEFER and FAIL: one printable line: which hosts and addresses, and what each said */
    struct span
        host; /* OPEN: name of the host (MX target, after aliases as RFC 7672 2.2.2 wants); empty for UNIX.
               * DEFER: of the connection that failed last, with address and port; empty: none was tried */
    struct span
        also; /* OPEN: a further name that its certificate may have (RFC 7672 3.2.2: the next-hop domain); may be empty */
    struct address address; /* OPEN and DEFER, not for UNIX */
    uint16_t port;
    uint32_t dns_ms, connect_ms; /* time spent */
    uint32_t n_tlsa;
    struct span tlsa[CONNECT_TLSA]; /* usage, selector, matching type, association */
};

void connect_question_put(struct buf *b, const struct connect_question *q);
bool connect_question_read(struct span payload, struct connect_question *ret); /* hostile */
void connect_service_question_put(struct buf *b, const struct connect_service_question *q);
bool connect_service_question_read(struct span payload, struct connect_service_question *ret); /* hostile */
void connect_answer_put(struct buf *b, const struct connect_answer *a);
bool connect_answer_read(struct span payload, struct connect_answer *ret); /* hostile */

#endif
