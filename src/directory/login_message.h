/* login_message: what edge and directory say to each other while a client proves who it is. The edge carries octets; the mechanisms,
 * the secrets and the rights are the directory's (DESIGN 4, invariants I2 and I10). One conversation a session at a time, named by the
 * session's id; its edge is the channel it came by. */
#ifndef DIRECTORY_LOGIN_MESSAGE_H
#define DIRECTORY_LOGIN_MESSAGE_H

#include "base/limits.h"
#include "base/wire.h"

enum login_tls { LOGIN_CLEAR, LOGIN_TLS_1_0, LOGIN_TLS_1_2, LOGIN_TLS_1_3, LOGIN_TLS_COUNT };

struct login_begin {  /* edge -> directory: AUTH was accepted by the engine */
    uint64_t session; /* its id; with its slot it names the conversation */
    uint32_t slot;
    uint16_t server;    /* index in the configuration of this generation */
    uint8_t mechanism;  /* enum mechanism, offered on this listener */
    uint8_t tls;        /* enum login_tls */
    uint8_t client[16]; /* the client's own address, never a proxy's (policy/network.h) */
    uint8_t local[16];  /* ours, to which it came; all zero: not known */
    uint16_t local_port;
    struct span exporter;  /* tls-exporter of RFC 9266, 32 octets; empty: none */
    struct span end_point; /* tls-server-end-point of RFC 5929 4; empty: none */
    /* of the client, DER, whose key it proved; nothing else is proven. Empty: none */
    struct span certificate;
    bool initial;         /* an initial response came, maybe empty (RFC 4954 4 "=") */
    struct span response; /* decoded; hostile */
};
struct login_step { /* edge -> directory: the answer to a challenge */
    uint64_t session;
    uint32_t slot;
    struct span response;
};
/* edge -> directory: a cancellation is a login_step with an empty response: "*", a timeout, or the session is gone. No answer follows. */

enum login_kind {
    LOGIN_CHALLENGE, /* 334 */
    LOGIN_SUCCESS,   /* 235: proven, and the right to submit (or one of the organisation) was found */
    LOGIN_REFUSED,   /* 535 5.7.8: whatever was wrong, the client learns no more */
    LOGIN_MALFORMED, /* 501 5.5.2: no message of this mechanism */
    LOGIN_LATER,     /* 454 4.7.0: the directory cannot say now */
    LOGIN_BANNED,    /* 421 4.7.0: too many failures from there */
    LOGIN_KIND_COUNT
};

struct login_answer { /* directory -> edge */
    uint64_t session;
    uint32_t slot;
    uint8_t kind;
    struct span challenge; /* CHALLENGE: not encoded */
    /* SUCCESS */
    uint8_t principal; /* enum principal of policy/decide.h; never PRINCIPAL_ANONYMOUS */
    uint32_t rights;   /* enum right */
    uint32_t number;   /* the principal's, for sender questions */
    /* unix seconds: when what it proved ends (a token, an app password, a ticket); UINT64_MAX: never */
    uint64_t valid_until;
    uint8_t stamp[LIMIT_STAMP_OCTETS]; /* for sender questions: nothing to the edge */
    struct span name;                  /* canonical, for log and Received */
    struct span label; /* of the app password or key that it came by, for the log; may be empty */
};

/* The longest, and the shortest with every span empty. */
#define LOGIN_BEGIN_LEAST  (8 + 4 + 2 + 1 + 1 + 16 + 16 + 2 + 2 + 2 + 2 + 1 + 2)
#define LOGIN_STEP_LEAST   (8 + 4 + 2)
#define LOGIN_ANSWER_LEAST (8 + 4 + 1 + 2 + 1 + 4 + 4 + 8 + LIMIT_STAMP_OCTETS + 2 + 2)
#define LOGIN_BEGIN_OCTETS                                                                                   \
    (LOGIN_BEGIN_LEAST + LIMIT_EXPORTER_OCTETS + LIMIT_END_POINT_OCTETS + LIMIT_CLIENT_CERTIFICATE_OCTETS +  \
     LIMIT_SASL_RESPONSE_OCTETS)
#define LOGIN_STEP_OCTETS (LOGIN_STEP_LEAST + LIMIT_SASL_RESPONSE_OCTETS)
#define LOGIN_ANSWER_OCTETS                                                                                  \
    (LOGIN_ANSWER_LEAST + LIMIT_SASL_CHALLENGE_OCTETS + LIMIT_PRINCIPAL_NAME_OCTETS +                        \
     LIMIT_IDENTITY_LABEL_OCTETS)

/* put: over when a span is longer than its limit. read: hostile; true only when every octet was consumed and in range. */
void login_begin_put(struct buf *b, const struct login_begin *m);
bool login_begin_read(struct span payload, struct login_begin *ret);
void login_step_put(struct buf *b, const struct login_step *m);
bool login_step_read(struct span payload, struct login_step *ret);
void login_answer_put(struct buf *b, const struct login_answer *m);
bool login_answer_read(struct span payload, struct login_answer *ret);

#endif
