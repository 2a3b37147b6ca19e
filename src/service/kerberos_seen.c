#include "service/kerberos_seen.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum {
    ROW = 8,
    ROWS = LIMIT_KERBEROS_SEEN / ROW,
    /* A client's clock may be ahead by as much as ours may run on; the last second counts; and what is told is the time when the step began to
     * stand in line, the library looks at its own. */
    KEPT_SECONDS = 2 * LIMIT_KERBEROS_CLOCK_SECONDS + LIMIT_DIRECTORY_SECONDS + 1
};

struct kerberos_seen {
    pthread_mutex_t lock;
    struct {
        uint64_t until; /* unix seconds; 0: free */
        uint8_t hash[KERBEROS_SEEN_OCTETS];
    } rows[ROWS][ROW];
};

struct kerberos_seen *kerberos_seen_create(void)
{
    struct kerberos_seen *s = calloc(1, sizeof *s);
    if (s) pthread_mutex_init(&s->lock, NULL);
    return s;
}

void kerberos_seen_free(struct kerberos_seen **s)
{
    if (!*s) return;
    pthread_mutex_destroy(&(*s)->lock);
    free(*s);
    *s = NULL;
}

bool kerberos_seen_add(struct kerberos_seen *s, const uint8_t hash[KERBEROS_SEEN_OCTETS],
                       uint64_t unix_seconds)
{
    uint32_t number;
    memcpy(&number, hash, sizeof number);
    bool seen = false;
    pthread_mutex_lock(&s->lock);
    unsigned oldest = 0;
    for (unsigned i = 0; i < ROW; i++) {
        seen |= s->rows[number % ROWS][i].until > unix_seconds &&
                memcmp(s->rows[number % ROWS][i].hash, hash, KERBEROS_SEEN_OCTETS) == 0;
        if (s->rows[number % ROWS][i].until < s->rows[number % ROWS][oldest].until) oldest = i;
    }
    if (!seen) {
        s->rows[number % ROWS][oldest].until = unix_seconds + KEPT_SECONDS;
        memcpy(s->rows[number % ROWS][oldest].hash, hash, KERBEROS_SEEN_OCTETS);
    }
    pthread_mutex_unlock(&s->lock);
    return !seen;
}
