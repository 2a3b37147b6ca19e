/* inbound_private: the insides of service/inbound, shared by its files only. */
#ifndef SERVICE_INBOUND_PRIVATE_H
#define SERVICE_INBOUND_PRIVATE_H

#include "engine/server.h"
#include "policy/client_name.h"
#include "service/inbound.h"
#include "spool/envelope.h"
#include "system/tls.h"

#define INBOUND_READ_OCTETS      65536 /* one read */
#define INBOUND_OUT_OCTETS       16384 /* replies of one turn of a session */
#define INBOUND_READS_PER_TURN   4     /* then the others come first */
#define INBOUND_ACCEPTS_PER_TURN 64
#define INBOUND_ENVELOPE_BLOCKS  66 /* one small, then large ones up to LIMIT_ENVELOPE_OCTETS */
#define INBOUND_CONTENT_BLOCKS   8  /* not yet sent to the spooler */
#define INBOUND_SENT_BLOCKS      16 /* sent as chunks, not yet given back: the window of a large message */
#define INBOUND_SMALL_FIRST      4 /* content blocks of LIMIT_BLOCK_SMALL_OCTETS before the first large one */
#define INBOUND_TIMER_MS         5000 /* a session is looked at at least this often: deadlines may have come nearer */
#define INBOUND_ACCEPT_PAUSE_MS  200 /* after an accept that failed for want of descriptors */
#define INBOUND_LINGER_MS        2000
#define INBOUND_RETRY_MS         20   /* sessions that wait for a block look again */
#define INBOUND_SLACK_OCTETS     2    /* of a content block: what the engine adds, see inbound_content_room */
#define INBOUND_AREA_OCTETS      4096 /* a content block with less room is not read into, the next one begins */
#define INBOUND_RESERVED_BLOCKS                                                                              \
    64 /* of each size, an eighth at most: kept for unread input and unsent replies */

/* What one source (address_source_key) holds of the pool: when less than half of it is free, an eighth of all at most, so that no
 * one stops the others. Loopback addresses are not limited, as with everything that is counted by source. */
struct share {
    uint8_t key[16];
    uint64_t octets;
    uint32_t transactions;
    bool unlimited;
    struct share *next; /* free list, or chain of the table */
};
#define INBOUND_SHARE_PART 8 /* one of so many parts of the pool */

/* A transaction that is being received. Its content lies in pool blocks. */
struct transaction {
    uint64_t id;              /* message id */
    uint64_t octets;          /* of content so far, our Received field included */
    uint64_t began_ms;        /* unix time of MAIL */
    uint64_t counted_ms;      /* loop time at which the rates counted it; 0: not yet */
    uint64_t commit_ms;       /* loop time of the commit */
    struct transaction *next; /* free list, or chain of the id table */
    struct share *share;      /* of its source */
    struct session *session;  /* null: its client is gone, only the spooler's result is awaited */
    uint32_t recipients;
    uint16_t n_envelope, n_content, n_sent, content_blocks;
    bool opened;    /* the spooler holds chunks of it */
    bool committed; /* the commit was sent: waiting for the result */
    bool failed;    /* the spooler refused a chunk */
    bool utf8_path; /* an address beyond ASCII is in its envelope */
    bool aborting;  /* it is over, but the spooler could not be told yet */
    uint8_t from;   /* enum from_look */
    uint16_t own_n; /* octets of our Received field, in front of the content */
    struct block_ref envelope[INBOUND_ENVELOPE_BLOCKS];
    struct block_ref content[INBOUND_CONTENT_BLOCKS];
    uint32_t sent[INBOUND_SENT_BLOCKS]; /* oldest first */
};

enum session_wait {                  /* why a session does not read, a set */
                    WAIT_RESULT = 1, /* an ASK is open: the spooler's answer */
                    WAIT_WRITE = 2,  /* the peer does not take our replies */
                    WAIT_BLOCK = 4,  /* no block in the pool */
                    WAIT_WINDOW = 8, /* too many blocks of this message are with the spooler */
                    WAIT_HANDSHAKE = 16,
                    WAIT_PROXY = 32,     /* the header of the proxy in front */
                    WAIT_DIRECTORY = 64, /* an ASK is open: the directory's answer */
                    WAIT_NAME = 128,     /* the client's name, before the greeting */
};

struct kept {       /* octets kept in a pool block between turns */
    uint32_t block; /* POOL_NONE: nothing is kept */
    uint32_t begin, end;
};

struct inbound_principal { /* who has logged in */
    uint32_t number, rights;
    uint64_t valid_until;              /* unix seconds: then its proof has ended; UINT64_MAX: never */
    uint8_t stamp[LIMIT_STAMP_OCTETS]; /* the directory's */
    uint16_t name_n;
    uint8_t kind;             /* enum principal */
    bool counted;             /* among the sessions of that principal */
    bool from_asked;          /* of this message: an address of its From is being asked for */
    uint16_t from_n, from_at; /* octets in from, and of those that were asked for */
    char name[LIMIT_PRINCIPAL_NAME_OCTETS];
    char from
        [LIMIT_FROM_ADDRESSES_OCTETS]; /* addresses of From and Sender that are not its own, a NUL behind each */
    struct inbound_principal *next;    /* free list */
};

struct inbound_legacy {                 /* of a session with a server for old devices */
    char sender[LIMIT_PATH_OCTETS + 2]; /* of its last message */
    uint16_t sender_n;
    uint8_t mechanism; /* of the login that was begun last; MECHANISM_COUNT: none */
    bool tls_done;
    uint32_t messages; /* that were accepted */
};

/* The search for the name of a client, where a connections line has one; then that name, until the session ends. */
struct naming {
    struct client_name search;
    struct session *session; /* null: it is free */
    struct naming *next;     /* free list */
    uint32_t uses;           /* so that an answer that comes late meets nobody */
};

struct session {
    struct watch watch; /* first: watch_fn gets its address */
    struct timer timer;
    struct inbound *in;
    struct session *next; /* free list or ready list */
    struct transaction *transaction;
    struct tls *tls;
    uint64_t id;
    struct inbound_principal *principal; /* null: nobody has logged in */
    struct naming *naming;               /* null: its name is not asked for */
    uint64_t paused_ms;                  /* since when it waits for a block; 0: it does not */
    uint64_t asked_ms;                   /* the directory */
    struct kept input, output;
    struct address client;
    uint16_t server, listener;
    uint8_t wait;            /* enum session_wait */
    bool open;               /* has a connection */
    bool ready;              /* is on the ready list */
    bool readable;           /* the socket may have more */
    bool rerun;              /* kept input may hold whole commands */
    bool closing, lingering; /* the engine said goodbye; waiting for the peer's FIN */
    bool starttls;           /* 220 is on its way, the handshake follows */
    bool relay_network, device, clear_auth, tls_wants_write, watches_writing, greeted, counted;
    bool rated;        /* the limits in a time are for it: not on the loopback, unless the server says so */
    bool logging_in;   /* the directory has a conversation of it */
    uint8_t mechanism; /* of the login that was begun last */
    uint32_t messages; /* that were accepted */
    bool fin;          /* the peer will send no more */
    bool asks_name;    /* whether it may come in its name decides */
    struct server engine;
};

struct listening {
    struct watch watch; /* first */
    struct timer timer; /* of a pause */
    struct inbound *in;
    uint32_t interest;
    uint16_t server, listener;
    bool open;
};

struct inbound_counters {
    uint64_t sessions, messages, octets, refused_recipients, refused_sessions, banned_sessions, names_asked,
        names_found, deferred, aborted;
};

struct inbound {
    struct inbound_setup setup;
    struct server_conf *conf;             /* one per server of the config */
    struct server_conf *bare;             /* likewise, of its listeners without TLS */
    struct session *sessions;             /* slab; memory is touched when a session first needs it */
    struct session *free_sessions;        /* of those that were used before */
    struct inbound_principal *principals; /* slab, likewise; as many as sessions */
    struct inbound_principal *free_principals;
    uint32_t used_principals;
    struct inbound_legacy *legacy; /* one a session; null where no server is for old devices */
    struct naming *namings;        /* as many as sessions; null: no server asks for names */
    struct naming *free_namings;
    uint32_t used_namings, names_waiting;
    struct transaction *transactions; /* slab */
    struct transaction *free_transactions;
    struct transaction **by_id; /* hash table of committed or opened transactions */
    uint32_t by_id_mask;
    struct share *shares, *free_shares, **by_source; /* as many as transactions, and as many buckets */
    uint32_t n_sessions, max_sessions, max_transactions;
    uint32_t used_sessions; /* of the slab, so far */
    struct listening *listening;
    uint32_t n_listening;
    struct session *ready, **ready_tail; /* sessions that go on in the next turn */
    struct timer again;                  /* wakes the loop while ready is not empty */
    bool stopping;
    uint32_t n_aborting; /* transactions */
    uint64_t last_message_id, last_session_id;
    struct inbound_counters counters;
    uint8_t *input;        /* scratch: kept octets in front, one read behind them */
    uint8_t rate_text[96]; /* scratch: the words of the last refusal by a rate */
    uint8_t *output;       /* scratch: replies of the session being served */
};

/* inbound_conf.c */
void inbound_conf_fill(struct server_conf *conf, const struct config_server *server, bool certificate);
const struct server_conf *inbound_conf(const struct inbound *in, unsigned server, unsigned listener);

/* inbound_accept.c */
/* Which address and port of ours its connection came to. False: it has none (a socket of another family). */
bool inbound_local(const struct session *s, struct address *ret, uint16_t *port);
watch_fn inbound_on_listener;
void inbound_begin_stream(struct session *s); /* the client's own octets begin: TLS, or the greeting */
/* Whose address s->client is: the peer's own; that of a proxy that will say for whom it speaks; the one that it said. */
enum inbound_source { SOURCE_DIRECT, SOURCE_PROXY, SOURCE_PROXIED };
/* May it have a session? Counts it. False: it was told why in place of the greeting, and is gone. */
MUST_USE bool inbound_let_in(struct session *s, enum inbound_source source);
void inbound_count_out(struct session *s);
#define BANNED_BY_HAND "Your address is banned here, ask the postmaster"
/* The ban that holds for it now; logins: one of those counts that are for servers where one may log in, too. Null: none. */
struct barred_entry *inbound_ban(const struct session *s, bool logins);
void inbound_place(struct session *s); /* what its own address permits; never a proxy's */
void inbound_session_close(struct session *s,
                           const char *why);       /* s is gone afterwards, but not reused in this turn */
void inbound_ready(struct session *s);             /* goes on in the next turn */
MUST_USE bool inbound_tls_done(struct session *s); /* after a handshake; false when it was closed */
void inbound_deadline(struct session *s);          /* sets the timer by the engine's word */
void inbound_committed(struct session *s, uint8_t status); /* answers the end of data */

/* One line and goodbye, in place of the greeting; the session is closed. */
void inbound_turn_away(struct session *s, unsigned code, const char *enhanced, struct span why);

/* inbound_name.c: a client that was let in by its address: its name decides, if there is a line about names, then the stream begins. */
bool inbound_name_memory(struct inbound *in); /* what it needs; false: there is none */
void inbound_welcome(struct session *s);
void inbound_name_late(struct session *s); /* nobody answered in time */
void inbound_name_forget(struct session *s);
struct span inbound_name_of(const struct session *s); /* confirmed; empty: none is known */

/* inbound_io.c */
void inbound_serve(struct session *s); /* reads, runs the engine, writes, as far as it goes */
void inbound_go_on(struct session *s, struct buf *out,
                   bool rerun); /* the same, with replies in out already */
void inbound_tls_begin(struct session *s);
void inbound_kept_release(struct session *s);
watch_fn inbound_on_socket;
void inbound_on_timer(struct timer *t);
/* Sends what is in out, behind what the peer has not taken yet; keeps the rest in a block. False when the session was closed. */
MUST_USE bool inbound_send(struct session *s, struct span out);

/* inbound_proxy.c: reads the header of the proxy in front; goes on with inbound_welcome when it is there. */
void inbound_read_proxy(struct session *s);

/* inbound_events.c. The content is complete: makes it durable, or answers why not. */
void inbound_end_content(struct session *s, struct buf *out);
/* Runs the engine over *input until it needs more, waits or closes. False when the session was closed. */
MUST_USE bool inbound_run(struct session *s, struct span *input, struct buf *out);

/* inbound_auth.c */
void inbound_offer(struct session *s); /* the mechanisms that can succeed in this session as it is */
/* SERVER_AUTH, SERVER_SASL. False: the directory cannot be asked, *v says so; else the answer comes later. */
bool inbound_ask_login(struct session *s, enum server_event event, const struct server_detail *d,
                       struct server_verdict *v);
void inbound_login_cancel(struct session *s); /* the directory forgets the conversation, if there is one */
void inbound_principal_forget(struct session *s); /* nobody has logged in any more */
/* May who has logged in still send, and from there (path; empty: from anywhere)? False: the directory cannot be asked; else the answer comes
 * later. */
bool inbound_ask_sender(struct session *s, struct span path);
extern const struct server_verdict inbound_login_ended; /* 421: a session can log in only once (RFC 4954 4) */
void inbound_directory_silent(struct session *s);       /* it was asked and did not answer in time */
uint32_t inbound_rights(const struct session *s);
struct span inbound_principal_name(const struct session *s); /* empty: nobody */

/* inbound_from.c */
enum from_look { /* at the header section of a message */
                 FROM_UNREAD,
                 FROM_READ,
                 FROM_NOT_YOURS, /* it names an address that is not permitted, or that cannot be read */
                 FROM_TOO_LONG,  /* the section: From may be where it was not looked for */
                 FROM_NO_COLON,  /* these as in mail/header: others might read a From in it that we do not */
                 FROM_NAME,
                 FROM_STRAY,
                 FROM_LOOK_COUNT
};
enum inbound_from { INBOUND_FROM_PERMITTED, INBOUND_FROM_REFUSED, INBOUND_FROM_ASKED, INBOUND_FROM_LATER };
bool inbound_from_locked(const struct session *s);
void inbound_from_begin(struct session *s); /* another message */
void inbound_from_read(struct session *s,
                       bool ended); /* before the first content leaves; only once a message */
enum inbound_from
inbound_from_check(struct session *s); /* the content is whole. ASKED: again, when the answer is there */
const struct server_verdict *inbound_from_refusal(const struct session *s,
                                                  const char **rule); /* of REFUSED */
/* The address that was asked for last; empty: none was, the fields cannot be read. */
struct span inbound_from_asked(const struct session *s);

/* inbound_policy.c */
/* False: the answer comes later (the directory was asked). */
bool inbound_ask_mail(struct session *s, const struct server_detail *d, struct server_verdict *v);
void inbound_ask_rcpt(struct session *s, const struct server_detail *d, struct server_verdict *v);

/* inbound_rate.c: counts one more. False: too many in a time already, and why, in words that live until the next one; rule: its id. */
bool inbound_rate_connection(struct session *s, struct span *why);
bool inbound_rate_message(struct session *s, struct server_verdict *v, const char **rule);
/* One more session of who has logged in now: false when there are too many. */
MUST_USE bool inbound_principal_enter(struct session *s);
void inbound_principal_leave(struct session *s);
/* What was counted then (loop time) came to nothing: a transaction that ends without a message. */
void inbound_rate_no_message(struct session *s, uint64_t counted_ms);
bool inbound_rate_recipient(struct session *s, struct server_verdict *v, const char **rule);

/* inbound_legacy.c: of sessions with old devices; nothing is done for all others */
MUST_USE bool inbound_legacy_take_memory(struct inbound *in);
void inbound_legacy_begin(struct session *s);
void inbound_legacy_tls(struct session *s); /* a handshake is done */
void inbound_legacy_login(struct session *s, enum mechanism m);
void inbound_legacy_message(struct session *s); /* its transaction was accepted */
void inbound_legacy_end(const struct session *s, const char *why);

/* inbound_transaction.c */
bool inbound_transaction_begin(struct session *s, const struct server_detail *d);
bool inbound_transaction_recipient(struct session *s, const struct envelope_recipient *r);
bool inbound_transaction_first_recipient(const struct transaction *t, const struct inbound *in,
                                         struct span *path);
void inbound_transaction_drop(struct session *s); /* a committed one lives on until its result */
void inbound_transaction_free(struct inbound *in, struct transaction *t);
bool inbound_transaction_commit(struct session *s);
/* Tells the spooler of dropped transactions what it could not be told before; lost: there is nobody to be told any more. */
void inbound_transaction_aborts(struct inbound *in, bool lost);
struct transaction *inbound_transaction_find(struct inbound *in, uint64_t id);

/* A block for envelope or content; POOL_NONE: there is none, but for the reserve, or its source has its share. */
uint32_t inbound_block_take(struct inbound *in, struct transaction *t, bool large);
void inbound_block_give(struct inbound *in, struct transaction *t, uint32_t block);
/* A block behind what it holds already. */
struct buf inbound_block(const struct inbound *in, const struct block_ref *r);

/* inbound_share.c */
struct share *inbound_share_open(struct inbound *in, const struct address *client); /* one transaction more */
void inbound_share_close(struct inbound *in, struct share *share);
bool inbound_share_permits(const struct inbound *in, const struct share *share, uint32_t octets);

/* inbound_content.c */
bool inbound_content_begin(struct session *s);  /* writes our Received field */
size_t inbound_content_room(struct session *s); /* octets that can be stored now; sets s->wait when 0 */
bool inbound_content_put(struct session *s, struct span content); /* at most what inbound_content_room said */
/* Room in the block at the end of the content, to read what comes next into it: content that is put from there stays where it is.
 * Without room: read elsewhere; s->wait says when a block has to be waited for first. Whoever reads there moves what is not content
 * away before anything else is done with the transaction: the block may become somebody else's. */
struct buf inbound_content_area(struct session *s);
/* content lies in that block, behind all that was put: putting it overwrites nothing that comes later. */
bool inbound_content_in_place(const struct session *s, struct span content);

/* inbound_log.c */
void inbound_log_session(
    const struct session *s); /* the members that tell which one, of a line that has begun */
void inbound_log_message(const struct inbound *in, const struct transaction *t, uint8_t status);
void inbound_log_refused(const struct session *s, const struct server_detail *d,
                         const struct server_verdict *v, const char *rule);
/* by connections; both null: no line holds it */
void inbound_log_denied(const struct session *s, const struct admission_rule *rule,
                        const struct admission_name *name);
void inbound_log_banned(const struct session *s, const struct barred_entry *ban);
void inbound_log_login(const struct session *s, struct span label); /* hostile, may be empty */
void inbound_log_login_refused(const struct session *s, const struct server_verdict *v, const char *rule);
void inbound_log_sender(
    const struct session *s, const struct server_verdict *v,
    const char *rule); /* of a message that was begun: the reverse-path at MAIL, an address
                        of From or Sender at the end of the content */
void inbound_log_end(const struct session *s, const char *why);

#endif
