/* outbound: sessions with next hops, driven by the loop. The caller (the relay) brings a connected socket and says whom it expects at the
 * other end; then it hands over one message after the other. Content is read from lent segments while it is sent; each extent is
 * checked against its CRC before its last octets leave, so what is damaged never looks like a whole message to the server.
 *
 * Each step has its time (RFC 5321 4.5.3.2), and so have all steps together, so that one who drips does not keep a message for long: a
 * session until it is ready, a transaction until the end of its content (more for large content), and the reply after it. What had no
 * reply to the end of its content in time may have been taken nevertheless (RFC 1047); before that end nothing was.
 *
 * Hooks are called while a session is served. Inside them outbound_send, outbound_auth and outbound_quit may be called for that session
 * and for others; nothing is freed under the feet of a hook. */
#ifndef SERVICE_OUTBOUND_H
#define SERVICE_OUTBOUND_H

#include "engine/client.h"
#include "policy/next_hop.h"
#include "service/connect_message.h"
#include "spool/job.h"
#include "system/loop.h"
#include "system/tls_client.h"

struct outbound;
struct outbound_session;

struct outbound_peer { /* whom a session talks to */
    bool lmtp, implicit_tls, authenticate;
    uint8_t tls;   /* enum tls_policy */
    bool in_clear; /* MAY, DANE without records: TLS was tried with this peer and failed: without it now */
    bool dane;     /* DANE, DANE_ONLY: there are secure TLSA records */
    struct span name, also; /* of the host; copied by TLS */
    const struct span *tlsa;
    uint32_t n_tlsa;
};

/* Sets name and also: whose certificate counts. A host that DNS names and nobody vouches for could be anybody's, with a perfect
 * certificate: with TLS_POLICY_VERIFY it counts within the domain only, else the domain itself must be shown (RFC 6125 1.7: the name that
 * was meant). h and a must live as long as p is used. */
void outbound_expect(struct outbound_peer *p, const struct next_hop *h, const struct connect_answer *a);

struct outbound_message { /* the caller keeps it, and what it points to, until `done` */
    struct client_transaction transaction;
    const struct extent *extents;
    uint32_t n_extents;
};

struct outbound_done {
    struct client_reply reply;       /* for all recipients that had no result of their own */
    bool next_hop_failed, untouched; /* as the engine says; untouched: it may be tried elsewhere at once */
    bool overdue; /* it took too long: that is the next hop's fault, however old the session is */
    bool
        damaged; /* the stored content is not what its CRC says, or holds a line end that is none: an alarm is due */
};

struct outbound_end {
    struct client_reply reply; /* why; code 0: our own words */
    bool was_ready;            /* it came as far as to take messages */
    bool next_hop_failed;
    bool tls_failed; /* the handshake did: whoever may may try it in clear */
    bool
        login_refused; /* the same credentials would be at its other addresses, and count as a guess each time */
    bool tls_begun;    /* outbound_put_tls has something to say of it */
};

struct outbound_hooks {
    int (*segment)(void *context, uint32_t segment); /* its descriptor; negative: not at hand */
    void (*ready)(struct outbound_session *s, void *owner);
    void (*auth)(struct outbound_session *s, void *owner, struct span mechanisms, struct span challenge);
    void (*recipient)(struct outbound_session *s, void *owner, uint32_t i, const struct client_reply *reply);
    void (*done)(struct outbound_session *s, void *owner, const struct outbound_done *d);
    /* The session is gone when this returns; a message that it had was done before. */
    void (*closed)(struct outbound_session *s, void *owner, const struct outbound_end *e);
};

struct outbound_setup {
    struct loop *loop;
    struct tls_client_context *tls;
    struct span hostname; /* for EHLO; the caller keeps it */
    const struct outbound_hooks *hooks;
    void *context;
    unsigned sessions; /* at once */
};

/* Null: no memory. */
struct outbound *outbound_create(const struct outbound_setup *s);
/* Closes all without a word; no hook is called. */
void outbound_destroy(struct outbound **o);
/* Once a turn of the loop, after the events: sessions whose share of the turn was used up go on. */
void outbound_after_turn(struct outbound *o);

/* Takes fd, a connected stream socket, non-blocking. Null: too many sessions or no memory; fd is closed. No hook is called before the
 * next turn. */
struct outbound_session *outbound_open(struct outbound *o, int fd, const struct outbound_peer *peer,
                                       void *owner);
/* After `ready`, once: until `done` no other. */
void outbound_send(struct outbound_session *s, const struct outbound_message *m);
/* Answer to `auth`, at once or later. */
void outbound_auth(struct outbound_session *s, const struct client_login *l);
/* tls-exporter of the session (RFC 9266). False: it has none, or it is not TLS 1.3: below, servers expect other kinds of bindings. */
bool outbound_exporter(const struct outbound_session *s, uint8_t ret[LIMIT_EXPORTER_OCTETS]);
/* Between messages: says QUIT and closes; `closed` is called. */
void outbound_quit(struct outbound_session *s);
/* Closes at once, whatever goes on; neither `done` nor `closed` is called. */
void outbound_drop(struct outbound_session *s);

uint32_t outbound_recipients_max(const struct outbound_session *s); /* of one message here */
bool outbound_offers_dsn(const struct outbound_session *s);
/* What protects it and why: "TLSv1.3 TLS_AES_256_GCM_SHA384 dane-ee", "none: not offered". */
void outbound_put_tls(const struct outbound_session *s, struct buf *b);

#endif
