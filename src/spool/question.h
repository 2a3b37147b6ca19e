/* question: what admin and spooler say to each other about the queue. Every answer is one IPC message with
 * whole JSON lines (one object a line, each ended by LF); a longer answer comes in pages: ask again with the
 * answer's cursor until `last`. The work of one question is bounded, so no question holds up the mail.
 *
 * Lines of LIST: {"id":"…","state":"queued|deferred|held","arrival":"RFC
 * 3339","size":N,"from":"…","recipients":[{"to":"…", "state":"…","attempts":N,"next":"RFC
 * 3339","reason":"…"},…],"more":N}  (recipients beyond 20 are only counted in "more") Lines of SHOW: one head
 * like LIST with all there is to know of the message, then one line for each event of its life in the order
 * it was written:
 * {"id":"…","time":"…","event":"arrival|attempt|expanded|held|released|…","to":"…","state":"…","text":"…"}
 * Lines of VERIFY: one for each damaged record or segment: {"segment":N,"offset":N,"problem":"…","id":"…"};
 * the last page ends with {"event":"verified","segments":N,"records":N,"messages":N,"damaged":N} COUNTS: one
 * line: {"queued":N,"deferred":N,"held":N,"messages":N,"recipients":N,"segments":N,...} */
#ifndef SPOOL_QUESTION_H
#define SPOOL_QUESTION_H

#include "base/limits.h"
#include "base/wire.h"

enum question_kind { QUESTION_LIST, QUESTION_SHOW, QUESTION_VERIFY, QUESTION_COUNTS, QUESTION_KIND_COUNT };

enum { /* states to list; a message is listed when one of its open recipients is in one of them; 0: all */
       QUESTION_QUEUED = 1,
       QUESTION_DEFERRED = 2,
       QUESTION_HELD = 4
};

struct question {     /* admin -> spooler */
    uint64_t tag;     /* comes back in the answer */
    uint64_t cursor;  /* 0 at first, then as the last answer said; opaque */
    uint64_t id;      /* SHOW: the message */
    uint32_t page;    /* LIST: at most this many lines, 1..LIMIT_QUESTION_PAGE_LINES */
    uint8_t kind;     /* enum question_kind */
    uint8_t states;   /* LIST: QUESTION_* set */
    struct span from; /* LIST: only where the reverse-path contains this (ASCII case-blind); empty: any */
    struct span to;   /* LIST: only where a recipient's path contains this */
};

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
