/* control: what the operator's tool and the admin process say to each other over the control socket (a UNIX stream socket).
 *
 * One request a connection, one line of printable text: words separated by single TABs, ended by LF:
 *     status | reload | stop | queue-counts | queue-verify
 *     queue-destinations [TAB hop=HEX]
 *     explain-hop TAB hop=HEX: a next hop (next_hop_put) in hexadecimal
 *     queue-show TAB id=06a1b2c3d4e5f
 *     queue-list | queue-summary | queue-flush | queue-hold | queue-release | queue-remove | queue-bounce | queue-requeue, with any of
 *         TAB id=ID  TAB state=queued,deferred,held  TAB from=TEXT  TAB to=TEXT  TAB domain=NAME  TAB reason=TEXT  TAB destination=TEXT
 *         TAB larger=OCTETS  TAB smaller=OCTETS  TAB older=SECONDS  TAB newer=SECONDS
 *     queue-summary also TAB by=destination|reason. What changes something needs one of these, or TAB all=yes.
 * The answer: any number of lines "+TEXT LF" (TEXT is a JSON object, except that `reload` may say plain words), then exactly one
 * line "=STATUS LF" or "=STATUS TEXT LF", then the end of the stream. Without the "=" line the answer is not complete. */
#ifndef SERVICE_CONTROL_H
#define SERVICE_CONTROL_H

#include "base/buf.h"
#include "spool/question.h"

enum control_verb {
    CONTROL_STATUS,
    CONTROL_RELOAD,
    CONTROL_STOP,
    CONTROL_EXPLAIN_HOP,
    CONTROL_QUEUE_LIST, /* this and what follows is about the queue */
    CONTROL_QUEUE_SHOW,
    CONTROL_QUEUE_VERIFY,
    CONTROL_QUEUE_COUNTS,
    CONTROL_QUEUE_SUMMARY,
    CONTROL_QUEUE_DESTINATIONS,
    CONTROL_QUEUE_FLUSH, /* this and what follows changes something; in the order of enum question_change */
    CONTROL_QUEUE_HOLD,
    CONTROL_QUEUE_RELEASE,
    CONTROL_QUEUE_REMOVE,
    CONTROL_QUEUE_BOUNCE,
    CONTROL_QUEUE_REQUEUE,
    CONTROL_VERB_COUNT
};

struct control_request {
    enum control_verb verb;
    uint8_t group;       /* QUEUE_SUMMARY: enum question_group */
    bool all;            /* a change without a filter is meant */
    uint16_t hop_octets; /* 0: none is named */
    uint8_t hop[NEXT_HOP_KEY_OCTETS];
    struct question_filter filter; /* begins as QUESTION_FILTER_ANY; ages in whole seconds */
};

enum control_status {
    CONTROL_OK,      /* done */
    CONTROL_UNKNOWN, /* no such message */
    CONTROL_BUSY,    /* ask later: too many clients, or the process that knows is just being restarted */
    CONTROL_BAD,     /* the request was malformed */
    CONTROL_FAILED,  /* the request was understood and refused or failed; the text says why */
    CONTROL_STATUS_COUNT
};

extern const char *const control_group_names[QUESTION_GROUP_COUNT];
bool control_group_read(struct span text, uint8_t *group);
/* That next hop is meant. */
void control_request_hop(struct control_request *r, const struct next_hop *hop);
bool control_changes(enum control_verb verb);                   /* something of the queue */
bool control_filter_says(const struct question_filter *filter); /* anything at all */
const char *control_verb_name(enum control_verb verb);
const char *control_status_name(enum control_status status);

/* Writes the whole line with its LF. A filter that holds a control octet sets over: it cannot be said. */
void control_request_put(struct buf *b, const struct control_request *r);
/* line: without its LF, hostile. False: malformed, *why is constant text. Spans of *ret point into line. */
bool control_request_read(struct span line, struct control_request *ret, const char **why);
/* "queued,held": one or more states, each known; *states receives their set. */
bool control_states_read(struct span text, uint8_t *states);
/* The question for the spooler that a queue request is; false when the request is not about the queue. tag and cursor are left 0; its hop
 * points into r. */
bool control_question(const struct control_request *r, struct question *ret);

/* Appends each LF-ended line of text as "+line LF"; a last line without its LF gets one; other controls become '?'. Sets over when
 * it does not fit (needs at most CONTROL_LINES_ROOM(text.n)). */
void control_lines_put(struct buf *b, struct span text);
#define CONTROL_LINES_ROOM(octets) (2 * (octets) + 2)
/* "=STATUS TEXT LF"; text is cut at LIMIT_CONTROL_TEXT_OCTETS, controls become '?'. */
void control_end_put(struct buf *b, enum control_status status, struct span text);

enum control_found {
    CONTROL_MORE,  /* no whole line yet */
    CONTROL_LINE,  /* *ret is the text of a line */
    CONTROL_END,   /* the answer is complete: *status and the text in *ret */
    CONTROL_BROKEN /* not this protocol */
};
/* Reads one line from the front of in; *consumed is set for LINE and END. */
enum control_found control_answer_next(struct span in, size_t *consumed, struct span *ret,
                                       enum control_status *status);

#endif
