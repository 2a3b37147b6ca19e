/* dns_message: what others ask the resolver process, and its answers (IPC payloads). One question is one name and one type; aliases
 * (CNAME) were followed. DNSSEC is told apart: secure, insecure, bogus (RFC 4035 4.3); bogus is never an answer to be used. */
#ifndef SYSTEM_DNS_MESSAGE_H
#define SYSTEM_DNS_MESSAGE_H

#include "base/limits.h"
#include "base/wire.h"

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52 };

struct dns_question {
    uint64_t tag; /* comes back */
    uint16_t type;
    struct span
        name; /* letters, digits, hyphens, underscores, dots; no dot at the end; at most LIMIT_DOMAIN_OCTETS */
};

enum dns_status {
    DNS_OK,      /* one record at least */
    DNS_NO_NAME, /* NXDOMAIN */
    DNS_NO_DATA, /* the name exists, it has no record of that type */
    DNS_FAILED,  /* no server answered, SERVFAIL, timed out: ask later */
    DNS_BOGUS,   /* DNSSEC validation failed: ask later, trust nothing */
    DNS_STATUS_COUNT
};

struct dns_record {      /* in the order of the answer */
    uint16_t preference; /* MX */
    struct span
        data; /* A: 4 octets; AAAA: 16; MX, PTR: the name, lower case, no dot at the end ("" is the root: null MX, RFC 7505);
                          * TLSA: usage, selector, matching type, then the association; TXT: strings joined */
};

struct dns_answer {
    uint64_t tag;
    uint8_t status; /* enum dns_status */
    bool secure;    /* validated by DNSSEC, the absence too; only with OK, NO_NAME, NO_DATA */
    uint32_t ttl;   /* seconds the answer may be kept, bounded by LIMIT_DNS_TTL_SECONDS */
    struct span
        canonical;   /* the name at the end of the chain of aliases; the name itself where there is none */
    struct span why; /* FAILED and BOGUS: one printable line for people */
    uint16_t count;
    struct span records; /* encoded; read with dns_record_read */
};

/* Letters, digits, hyphens, underscores in labels of 63 at most; no dot at the end; 253 octets at most (RFC 1035 2.3.4). */
bool dns_name_valid(struct span name);
void dns_question_put(struct buf *b, const struct dns_question *q);
bool dns_question_read(struct span payload, struct dns_question *ret); /* hostile; names are checked */
void dns_record_put(struct buf *b, const struct dns_record *r);
bool dns_record_read(struct wire *w, struct dns_record *ret); /* false and !w->bad at the end */
/* At most LIMIT_DNS_RECORDS and LIMIT_IPC_MESSAGE_OCTETS; the writer drops what is beyond. */
void dns_answer_put(struct buf *b, const struct dns_answer *a);
bool dns_answer_read(struct span payload, struct dns_answer *ret); /* hostile; all records are checked */

#endif
