/* inbound: serving strangers. Joins the pure engine (engine/server) with sockets, TLS, policy, the block pool and the spooler.
 * One per edge process. It never opens a file, never connects and holds no key: everything it uses was handed in. */
#ifndef SERVICE_INBOUND_H
#define SERVICE_INBOUND_H

#include "base/buf.h"
#include "config/config.h"
#include "directory/recipients.h"
#include "policy/barred.h"
#include "policy/rates.h"
#include "policy/sources.h"
#include "spool/submit.h"
#include "system/dns_message.h"
#include "system/loop.h"
#include "system/pool.h"

struct inbound;
struct tls_context;

/* What goes to the spooler; false when it cannot take more now (the message is answered 451). */
enum inbound_submit { INBOUND_CHUNK, INBOUND_COMMIT, INBOUND_ABORT };
typedef bool inbound_submit_fn(void *context, enum inbound_submit kind, struct span payload);

/* What goes to the directory (directory/login_message.h, sender_message.h); false when it cannot take more now. */
enum inbound_question { INBOUND_LOGIN_BEGIN, INBOUND_LOGIN_STEP, INBOUND_LOGIN_CANCEL, INBOUND_SENDER };
typedef bool inbound_ask_fn(void *context, enum inbound_question kind, struct span payload);

/* What goes to the resolver: the reverse name of a client, addresses of the names behind it; false when it cannot take more now. */
typedef bool inbound_resolve_fn(void *context, const struct dns_question *q);

struct inbound_setup { /* everything is borrowed and must outlive the inbound */
    struct loop *loop;
    const struct config *config;
    struct pool *pool;
    struct sources *sources;
    struct rates *rates; /* null: rates are not limited */
    struct recipients recipients;
    struct barred *barred;    /* who is turned away; null: nobody */
    unsigned edge;            /* 0..63: part of message ids */
    unsigned column;          /* of sources */
    struct tls_context **tls; /* one per server of config, null where it has no certificate */
    inbound_submit_fn *submit;
    inbound_ask_fn *ask;         /* null: nobody can log in */
    inbound_resolve_fn *resolve; /* null: no client has a name */
    void *context;               /* of all three */
};

/* Takes all memory it will ever use. Null: no memory. */
struct inbound *inbound_create(const struct inbound_setup *setup);

/* A listening socket of config->servers[server].listeners[listener]; ours from now on. False: errno. */
bool inbound_listen(struct inbound *in, unsigned server, unsigned listener, int fd, bool shared);

/* The spooler's answer. Unknown ids are ignored: their session is gone. */
void inbound_result(struct inbound *in, const struct submit_result *r);
/* The spooler died: every message on its way is answered 451; nothing was acknowledged. */
void inbound_spooler_lost(struct inbound *in);
/* The keyring's answer to a signature question: the session paused in its handshake goes on. False: malformed. */
MUST_USE bool inbound_key_answer(struct inbound *in, struct span answer);
/* The keyring died: handshakes that wait for it end. */
void inbound_key_lost(struct inbound *in);

/* The directory's answers: a struct login_answer, a struct sender_answer. Those whose session is gone are ignored. False: malformed. */
MUST_USE bool inbound_login_answer(struct inbound *in, struct span payload);
MUST_USE bool inbound_sender_answer(struct inbound *in, struct span payload);
/* The directory died: who waits for it hears that it failed for now. */
void inbound_directory_lost(struct inbound *in);

/* The resolver's answer; one that nobody waits for is ignored. It died: who waits has no name. */
void inbound_resolved(struct inbound *in, const struct dns_answer *a);
void inbound_resolver_lost(struct inbound *in);

/* A certificate turned out useless (its key does not fit): TLS is no longer offered on this server. */
void inbound_tls_off(struct inbound *in, unsigned server);

/* Stop accepting. stopping: sessions between transactions get 421 now, the others at their next pause; otherwise they go on. */
void inbound_drain(struct inbound *in, bool stopping);
/* After a drain: sessions still open. */
uint32_t inbound_sessions(const struct inbound *in);

/* Once a loop turn, after all events: sessions that had more to read go on. */
void inbound_after_turn(struct inbound *in);
/* Members of a JSON object: "sessions":3,"messages":17,... */
void inbound_status(const struct inbound *in, struct buf *json);

#endif
