/* dovecot: what a client of Dovecot's authentication service says and hears (Dovecot Authentication Protocol 1.1 to 1.4: Debian 12 has 1.2).
 * Lines that end with LF, fields between TABs, octets escaped by ^A. Dovecot is no stranger, but what it says is read as if it were. */
#ifndef SASL_DOVECOT_H
#define SASL_DOVECOT_H

#include "base/buf.h"
#include "base/limits.h"

/* Takes the first line, without its LF, off *input. False: there is no whole one. */
bool dovecot_line_take(struct span *input, struct span *line);
/* A field as it was before it was escaped. */
void dovecot_put_plain(struct buf *b, struct span field);
void dovecot_put_escaped(struct buf *b, struct span plain);

/* --- the handshake: VERSION first, DONE last, between them MECH and what else there is (SPID, CUID, COOKIE) in any order */

struct dovecot_server { /* begins zeroed */
    bool version, done; /* the one for us was heard; the other, too */
    uint32_t minor;     /* of its version; it does not matter */
    /* MECHANISM_BIT: those that it announces, for anybody who proves who he is: neither an anonymous nor a private one */
    uint32_t mechanisms;
    uint32_t lines;
};
/* One line of it, before done. False: it is no such server (another major version, no version, too many lines). */
MUST_USE bool dovecot_handshake(struct dovecot_server *s, struct span line);
/* Our share, sent at once. cpid: not 0; no other connection may have the same. */
void dovecot_put_hello(struct buf *b, uint32_t cpid);

/* --- one conversation */

struct dovecot_request {
    uint32_t id;
    const char *mechanism;
    bool tls;           /* else in clear */
    struct span client; /* its address, as text */
    struct span local;  /* ours, to which it came; empty: not known */
    uint16_t local_port;
    bool initial;         /* there is an initial response, maybe an empty one */
    struct span response; /* not encoded */
};
void dovecot_put_auth(struct buf *b, const struct dovecot_request *r);
void dovecot_put_cont(struct buf *b, uint32_t id, struct span response);
void dovecot_put_cancel(struct buf *b, uint32_t id);

enum dovecot_kind {
    DOVECOT_NONSENSE, /* no such line, or one about another conversation: nothing further that it says is to be believed */
    DOVECOT_CONT, /* challenge */
    DOVECOT_OK,
    DOVECOT_FAIL
};
enum dovecot_code { /* of a FAIL */
                    DOVECOT_REFUSED,
                    DOVECOT_TEMPORARY, /* its own data are out of reach */
                    DOVECOT_AUTHORISATION,
                    DOVECOT_DISABLED,
                    DOVECOT_EXPIRED,
};
struct dovecot_reply { /* spans point into memory, or into the line */
    enum dovecot_kind kind;
    enum dovecot_code code;
    struct span challenge; /* decoded */
    struct span user;      /* as Dovecot calls it; empty: it does not say */
    /* who proved something, when that is another one (a master user); empty: user himself */
    struct span actor;
    bool no_login;  /* OK: and yet not to be let in: nologin, proxy */
    bool anonymous; /* OK: nobody proved anything */
};
/* A line of conversation id. Of its fields only these count: whatever else stands there grants nothing. memory: for what is decoded. */
void dovecot_reply_read(struct span line, uint32_t id, struct buf *memory, struct dovecot_reply *ret);

#endif
