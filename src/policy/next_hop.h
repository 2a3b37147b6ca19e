/* next_hop: where a message goes next, as the routes of the configuration say it: never an address that somebody else may choose.
 * The spooler makes it from the configuration and keeps one queue for each; the relay hands it to the connector, which finds addresses. */
#ifndef POLICY_NEXT_HOP_H
#define POLICY_NEXT_HOP_H

#include "base/limits.h"
#include "base/wire.h"

enum next_hop_kind {
    NEXT_HOP_MX, /* name: a domain: its mail exchangers by DNS, port 25 (RFC 5321 5.1); or an address literal in brackets, which a
                  * sender chose: never one of ours, a private or a loopback one */
    NEXT_HOP_HOST, /* name: one or more "host:port", "[v6]:port", separated by one blank, in order of preference */
    NEXT_HOP_UNIX, /* name: absolute path of a UNIX stream socket */
    NEXT_HOP_KIND_COUNT
};

enum next_hop_protocol { NEXT_HOP_SMTP, NEXT_HOP_LMTP, NEXT_HOP_PROTOCOL_COUNT };

enum tls_policy {                  /* of an outbound session; what a next hop must show before it gets mail */
                  TLS_POLICY_NONE, /* never TLS */
                  TLS_POLICY_MAY,  /* TLS where it is offered, whoever it is (RFC 7435); else in clear */
                  TLS_POLICY_DANE, /* RFC 7672: TLSA records bind where they are; else as MAY. Bogus DNSSEC defers */
                  TLS_POLICY_ENCRYPT, /* TLS or nothing, whoever it is */
                  TLS_POLICY_VERIFY, /* TLS with a certificate for the name, by a known authority, or nothing */
                  TLS_POLICY_DANE_ONLY, /* TLSA records that are usable, and match, or nothing */
                  TLS_POLICY_COUNT
};

struct next_hop {
    uint8_t kind;      /* enum next_hop_kind */
    uint8_t protocol;  /* enum next_hop_protocol; MX is always SMTP */
    uint8_t tls;       /* enum tls_policy */
    bool implicit_tls; /* the handshake comes first (RFC 8314); HOST only */
    struct span name;  /* printable, lower case where it is a name; at most LIMIT_NEXT_HOP_OCTETS */
    struct span
        user; /* HOST only: file with the credentials, absolute; empty: none. They are the directory's */
};

/* Everything above holds. What next_hop_read gives, and what config_next_hop says, is valid. */
bool next_hop_valid(const struct next_hop *h);
/* The hosts of a HOST's name, one after the other: takes one off *names. host: a name, or an address without brackets. False: none is
 * left, or (hostile input) it is malformed. */
bool next_hop_take_host(struct span *names, struct span *host, uint16_t *port);

/* The encoding is also the key of its queue: equal next hops have equal encodings. */
#define NEXT_HOP_KEY_OCTETS (8U + LIMIT_NEXT_HOP_OCTETS + LIMIT_CONFIG_PATH_OCTETS)
void next_hop_put(struct buf *b, const struct next_hop *h);
/* Hostile input: enumerations, lengths and characters are checked. Spans point into what w reads. */
bool next_hop_read(struct wire *w, struct next_hop *ret);
/* For people: "mx example.org", "smtp smtp.example.net:587", "lmtp unix:/run/dovecot/lmtp". */
void next_hop_put_text(struct buf *b, const struct next_hop *h);
/* The words of the configuration, in the order of enum tls_policy. */
#define TLS_POLICY_WORDS "none may dane encrypt verify dane-only"
const char *tls_policy_name(enum tls_policy p);

#endif
