/* expand: what spooler and directory say to each other about aliases (asked after acceptance), and the codec of it. */
#ifndef DIRECTORY_EXPAND_H
#define DIRECTORY_EXPAND_H

#include "base/limits.h"
#include "base/wire.h"

#define EXPAND_PATH_OCTETS (LIMIT_LOCAL_PART_OCTETS + 1 + LIMIT_DOMAIN_OCTETS)

struct expand_question { /* spooler -> directory */
    uint64_t id;
    uint32_t recipient;
    struct span path; /* as written */
};

enum expand_kind {
    EXPAND_MAILBOX,
    EXPAND_REMOTE,
    EXPAND_NOBODY, /* an alias names it, but nobody of that name exists: fails 5.1.1, the other targets do not */
    EXPAND_KIND_COUNT
};
struct expand_target {
    uint8_t kind;
    struct span path; /* local@domain: canonical mailbox (no subaddress), or an address elsewhere */
};
enum expand_status {
    EXPAND_OK,
    EXPAND_UNKNOWN /* 5.1.1 */,
    EXPAND_LOOP /* 5.4.6 */,
    EXPAND_TOO_MANY /* 4.3.5 */,
    EXPAND_LATER /* 4.3.0 */,
    EXPAND_STATUS_COUNT
};
struct expand_answer { /* directory -> spooler: parts; targets are read one by one from `targets` */
    uint64_t id;
    uint32_t recipient;
    uint8_t status;
    uint8_t last; /* more parts follow when 0 */
    uint16_t count;
    struct span
        owner; /* of a list (alias owner-NAME): the reverse-path of what is sent to the targets, unless it
                          * is null; empty: the reverse-path stays */
    struct span targets; /* encoded */
};

void expand_question_put(struct buf *b, const struct expand_question *m);
bool expand_question_read(struct span payload, struct expand_question *ret);
void expand_target_put(struct buf *b, const struct expand_target *t);
bool expand_target_read(struct wire *w, struct expand_target *ret); /* false and !w->bad at the end */
void expand_answer_put(struct buf *b, const struct expand_answer *m);
bool expand_answer_read(struct span payload, struct expand_answer *ret); /* checks every target too */

#endif
