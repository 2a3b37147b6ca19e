/* question: what admin and spooler say to each other about the queue. Every answer is one IPC message with
 * whole JSON lines (one object a line, each ended by LF); a longer answer comes in pages: ask again with the
 * answer's cursor until `last`. The work of one question is bounded, so no question holds up the mail.
 *
 * LIST: {"id":"…","state":"queued|deferred|held","arrival":"RFC 3339","size":N,"from":"…","recipients":[{"to":"…","state":"…",
 * "attempts":N,"next":"RFC 3339","waits":"attempt|destination|delivery|release|route","waits_for":"a sentence","destination":"…","reason":"…"},…],"more":N}
 * (recipients beyond 20 are only counted in "more").
 * SHOW: one head like LIST with all there is to know of the message, then one line for each event of its life:
 * {"id":"…","time":"…","event":"arrival|attempt|expanded|delay-told|operator|held|released","to":"…","state":"…","text":"…"};
 * held and released have the uid of who asked; an attempt at
 * a next hop also has host, address, family, port, tls, code, dns_ms, connect_ms, session_ms, transfer_ms.
 * VERIFY: one for each damaged record or segment: {"segment":N,"offset":N,"problem":"…","id":"…"}; the last page ends with
 * {"event":"verified","segments":N,"records":N,"messages":N,"damaged":N}.
 * COUNTS: one line: {"queued":N,"deferred":N,"held":N,"messages":N,"recipients":N,"segments":N,...}.
 * SUMMARY: each page counts what it saw: {"destination":"…" or "reason":"…","recipients":N,"queued":N,"deferred":N,"held":N,"octets":N,
 * "oldest":UNIX MS}, several pages may name the same one; and {"examined":N,"messages":N}.
 * DESTINATIONS: the next hops that have a queue, or the one that is named: {"destination":"…","standing":"fresh|proven|failed","waiting":N,
 * "sessions":N,"sessions_max":N,"next":"…","next_after":"back-off|rate","waits_for":"a sentence","failures":N,"failed":"…","status":"…","reason":"…","host":"…","transactions":N,"recipients":N}.
 * CHANGE: {"id":"…","recipients":N} for each message it changed (not of a flush), {"id":"…","busy":N} for one with attempts under way, then
 * {"examined":N,"messages":N,"recipients":N,"busy":N,"held":N}. busy: matched, but a delivery is under way; not changed. held: matched a
 * flush or requeue, and stays held. */
#ifndef SPOOL_QUESTION_H
#define SPOOL_QUESTION_H

#include "base/limits.h"
#include "base/wire.h"
#include "policy/next_hop.h"

enum question_kind {
    QUESTION_LIST,
    QUESTION_SHOW,
    QUESTION_VERIFY,
    QUESTION_COUNTS,
    QUESTION_SUMMARY,
    QUESTION_DESTINATIONS,
    QUESTION_CHANGE,
    QUESTION_KIND_COUNT
};

enum question_change {
    CHANGE_FLUSH, /* an attempt is due now; back-off of its next hop is forgotten */
    CHANGE_HOLD,
    CHANGE_RELEASE,
    CHANGE_REMOVE,  /* nobody is told */
    CHANGE_BOUNCE,  /* the sender is told */
    CHANGE_REQUEUE, /* as if it had just arrived: routes are looked up anew, attempts are forgotten */
    QUESTION_CHANGE_COUNT
};

enum question_group { GROUP_DESTINATION, GROUP_REASON, QUESTION_GROUP_COUNT };

enum { /* states to list; a message is listed when one of its open recipients is in one of them; 0: all */
       QUESTION_QUEUED = 1,
       QUESTION_DEFERRED = 2,
       QUESTION_HELD = 4
};

struct
    question_filter { /* what is meant; all that is said must hold. Texts are ASCII case-blind; empty: any */
    uint64_t id;      /* this message only; 0: any */
    uint8_t states;   /* QUESTION_* set */
    struct span from; /* the reverse-path contains it */
    struct span to;   /* the recipient's path contains it */
    struct span domain;          /* the recipient's domain is it */
    struct span reason;          /* why it waits contains it */
    struct span destination;     /* the text of its next hop contains it */
    uint64_t larger, smaller;    /* octets of content: at least, at most */
    uint64_t older_ms, newer_ms; /* age: at least, at most */
};
/* Says nothing: every message. */
#define QUESTION_FILTER_ANY ((struct question_filter){.smaller = UINT64_MAX, .newer_ms = UINT64_MAX})

struct question {                  /* admin -> spooler */
    uint64_t tag;                  /* comes back in the answer */
    uint64_t cursor;               /* 0 at first, then as the last answer said; opaque */
    uint32_t page;                 /* LIST: at most this many lines, 1..LIMIT_QUESTION_PAGE_LINES */
    uint32_t uid;                  /* who asks, as the kernel says */
    uint8_t kind;                  /* enum question_kind */
    uint8_t what;                  /* CHANGE: enum question_change; SUMMARY: enum question_group */
    struct question_filter filter; /* SHOW: the id */
    struct span hop;               /* DESTINATIONS: this one only, encoded (next_hop_put); empty: all */
};
#define QUESTION_HEAD_OCTETS 79 /* of the encoding, with empty texts */
#define QUESTION_OCTETS      (QUESTION_HEAD_OCTETS + 5 * LIMIT_QUESTION_FILTER_OCTETS + NEXT_HOP_KEY_OCTETS)

enum answer_status {
    ANSWER_OK,
    ANSWER_UNKNOWN /* no such message */,
    ANSWER_BUSY /* ask later */,
    ANSWER_STATUS_COUNT
};
struct answer { /* spooler -> admin */
    uint64_t tag;
    uint64_t cursor;  /* where the next page begins */
    uint8_t status;   /* enum answer_status */
    uint8_t last;     /* nothing follows */
    struct span text; /* JSON lines, may be empty (a filter that found nothing so far) */
};
#define ANSWER_HEAD_OCTETS 20 /* of the encoding before text */

void question_put(struct buf *b, const struct question *m);
bool question_read(struct span payload, struct question *ret);
void answer_put(struct buf *b, const struct answer *m);
bool answer_read(struct span payload, struct answer *ret);

#endif
