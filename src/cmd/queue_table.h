/* queue_table: the daemon's JSON lines about the queue as text for people, hostile text escaped once more. */
#ifndef CMD_QUEUE_TABLE_H
#define CMD_QUEUE_TABLE_H

#include "base/span.h"

struct queue_event;

struct queue_table { /* zeroed at first */
    unsigned long messages;
    bool headed;                /* the heading was printed */
    struct queue_event *events; /* of SHOW, until they are printed in the order of time */
    size_t n_events, room;
};

void queue_table_list(struct queue_table *t, struct span line); /* a line of LIST */
/* queued: messages in the whole queue, where a filter found none of them; else 0. */
void queue_table_list_end(const struct queue_table *t, unsigned long long queued);
void queue_table_show(struct queue_table *t, struct span line); /* a line of SHOW: head, then events */
void queue_table_show_end(struct queue_table *t);               /* prints the events and forgets them */
void queue_table_verify(struct span line);                      /* a line of VERIFY */
void queue_table_status(struct span line);                      /* the object of `status` */

#endif
