/* queue_filter: the options by which `sallyport queue` says which messages are meant. */
#ifndef CMD_QUEUE_FILTER_H
#define CMD_QUEUE_FILTER_H

#include "cmd/command.h"
#include "service/control.h"

struct queue_filter { /* as given; null: not */
    const char *state, *from, *to, *domain, *reason, *destination, *larger, *smaller, *older, *newer;
};
#define QUEUE_FILTER_OPTIONS 10

/* Fills QUEUE_FILTER_OPTIONS rows. */
void queue_filter_options(struct queue_filter *f, struct command_option *rows);
/* False: command_usage was called. Texts point into what was given. */
bool queue_filter_read(const struct command_call *v, const struct queue_filter *f,
                       struct question_filter *ret);

/* "10", "200K", "3M", "1G": octets. */
bool queue_filter_octets(struct span text, uint64_t *ret);
/* "90", "90s", "30m", "4h", "5d": into milliseconds. */
bool queue_filter_age(struct span text, uint64_t *ret);

#endif
