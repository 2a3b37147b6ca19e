/* ban: which networks may not log in, and from where principals did lately: what is kept of policy/guess. Written by the directory
 * process in batches, and by `sallyport ban`; each looks again when another has changed something. */
#ifndef IDENTITY_BAN_H
#define IDENTITY_BAN_H

#include "identity/change.h"
#include "policy/guess.h"

#define BAN_FOREVER UINT64_C(253402300799) /* until: the end of the year 9999 */

extern const char *const ban_reasons[GUESS_REASONS]; /* "failures", "spray", "by-hand" */

struct ban_known {
    uint32_t principal;
    struct network source;
    uint64_t unix_seconds;
};

/* Each needs an open transaction (change_begin). False: change_why(). */
MUST_USE bool ban_put(struct identity *i, const struct guess_ban *ban);
MUST_USE bool ban_know(struct identity *i,
                       const struct ban_known *known); /* a principal that is gone: nothing */
enum change ban_remove(struct identity *i, const struct network *network);
/* Ends the transaction without a row of the audit: what a program did by itself. What is too old goes. */
MUST_USE bool ban_commit(struct identity *i, uint64_t unix_seconds);

/* Did anybody else change the database since the last call? The first time: yes. */
bool ban_changed(struct identity *i, int64_t *version);
/* Up to max, what ends last first, with those that are over and not forgotten. -1: change_why(). */
int ban_list(struct identity *i, struct guess_ban *ret, unsigned max);
typedef void ban_known_fn(void *context, const struct ban_known *known);
bool ban_each_known(struct identity *i, ban_known_fn *fn, void *context); /* oldest first */

#endif
