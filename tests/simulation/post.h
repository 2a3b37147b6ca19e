/* post: the book that the outbound world keeps of every message it gave to the spool: who must get it, which next hop took it, what the
 * spooler recorded, and what the sender was told. What must be true is checked as it is written in. */
#ifndef POST_H
#define POST_H

#include "scene.h"
#include "spool/store.h"

enum { POST_LETTERS = 160, POST_RECIPIENTS = 8, POST_TAKES = 12, POST_NOTICES = 1200 };

enum post_answer { POST_WAITING, POST_ACCEPTED, POST_REFUSED, POST_MAYBE };

struct post_take { /* a next hop has the message for this recipient */
    const void *connection;
    uint64_t reply_end, ms; /* of its stream, and when */
    bool late;              /* its client had gone: nobody sends it again, somebody only reads late */
    bool told;              /* the reply that says so was sent as it should be */
    bool closed;            /* its client has had the reply, or never will: `excused` is settled */
    bool excused;           /* by SMTP itself, or by a crash: it may be taken once more */
};

struct post_recipient {
    uint8_t hop;
    uint8_t state, durable; /* enum recipient_state, as recorded; as it is on disk */
    unsigned n_takes;
    struct post_take takes[POST_TAKES];
    unsigned told, told_durably, told_excused; /* notifications of failure */
};

struct post_letter {
    uint32_t serial;
    uint64_t id;
    uint8_t *octets;
    size_t n;
    uint32_t flags;   /* ENVELOPE_* */
    bool dirty;       /* no next hop may ever have it */
    bool from_nobody; /* null reverse-path */
    uint8_t notify, answer;
    uint32_t n_to;
    struct post_recipient to[POST_RECIPIENTS];
};

struct post_notice { /* a message that the spooler made */
    uint64_t id;
    uint8_t *octets;
    size_t n;
    uint32_t letter;
    bool failed, durable;
    uint32_t about; /* recipients, a bit each */
};

struct post_numbers {
    uint64_t accepted, refused, taken, delivered, failed, expired, notified, duplicates,
        excused_by_connection, excused_by_crash, believed, crashes, deaths, resets, connections, jumps,
        deferred, put_back, partial;
};

struct post {
    struct scene *scene;
    struct post_letter letters[POST_LETTERS];
    uint32_t n;
    struct post_notice notices[POST_NOTICES];
    uint32_t n_notices;
    uint32_t liars; /* hops whose word nobody can check, a bit each */
    struct post_numbers numbers;
};

void post_free(struct post *p);
/* A letter of random content to random hops. Null: there are enough. */
struct post_letter *post_write(struct post *p, unsigned hops);
void post_put_sender(struct buf *b, const struct post_letter *l);
void post_put_recipient(struct buf *b, const struct post_letter *l, uint32_t i);
/* Whom a path names. False: nobody here. sender: it is the one of a sender, to whom a notification goes. */
bool post_find(struct post *p, struct span path, struct post_letter **l, uint32_t *i, bool *sender);

/* A hop has that content for that recipient, whole as it believes. */
void post_taken(struct post *p, struct post_letter *l, uint32_t i, unsigned hop, struct span content,
                const struct post_take *take);
void post_notice_taken(struct post *p, const struct post_letter *l, struct span content);
/* Octets of replies that the client of that connection has had, and since when. over: no more will be. */
void post_heard(struct post *p, const void *connection, uint64_t read, uint64_t read_ms, bool over);

/* What the spooler did. */
void post_recorded(struct post *p, uint64_t id, uint32_t recipient, uint8_t state);
void post_notified(struct post *p, uint64_t id, struct span content);
void post_answered(struct post *p, uint64_t id, enum store_status status);
void post_flushed(struct post *p, struct store *s); /* all of it is durable */
/* The spooler is gone: what was not durable may be there or not. */
void post_crashed(struct post *p);
/* The relay is gone: what it did not tell is not known. */
void post_relay_died(struct post *p);
/* The spool was opened anew: it is compared. */
void post_recovered(struct post *p, struct store *s);
void post_end(struct post *p, struct store *s);

#endif
