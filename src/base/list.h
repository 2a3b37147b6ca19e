/* list: intrusive and doubly linked. A link stands inside what it links; the head is a link of its own. A link that is in
 * no list points to itself, so taking out twice does no harm. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/span.h"

struct list {
    struct list *next, *prev;
};

/* The structure of the given type whose member is the link l. */
#define LIST_OF(l, type, member) ((type *)(void *)((char *)(l)-offsetof(type, member)))

static inline void list_begin(struct list *l) /* a head, or a link that is in no list */
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert(struct list *before, struct list *l) /* l: in no list */
{
    l->prev = before->prev;
    l->next = before;
    before->prev->next = l;
    before->prev = l;
}

static inline void list_append(struct list *head, struct list *l)
{
    list_insert(head, l);
}

static inline void list_take(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_begin(l);
}

/* The first link, taken out; null when the list is empty. */
static inline struct list *list_shift(struct list *head)
{
    if (list_empty(head)) return NULL;
    struct list *l = head->next;
    list_take(l);
    return l;
}

#endif
