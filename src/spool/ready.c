#include "spool/ready.h"

#include <stdlib.h>

#define PAGE_ITEMS 4096U

static struct ready_item *at(const struct ready *r, uint32_t ticket)
{
    return &r->pages[(ticket - 1) / PAGE_ITEMS][(ticket - 1) % PAGE_ITEMS];
}

const struct ready_item *ready_item(const struct ready *r, uint32_t ticket)
{
    return at(r, ticket);
}

static bool add_page(struct ready *r)
{
    if (r->n_pages == UINT32_MAX / PAGE_ITEMS - 1) return false;
    if (r->n_pages == r->max_pages) {
        uint32_t max = r->max_pages ? r->max_pages * 2 : 16;
        struct ready_item **pages = realloc(r->pages, max * sizeof(struct ready_item *));
        if (!pages) return false;
        r->pages = pages;
        r->max_pages = max;
    }
    struct ready_item *page = malloc(PAGE_ITEMS * sizeof *page);
    if (!page) return false;
    r->pages[r->n_pages++] = page;
    for (uint32_t i = PAGE_ITEMS; i > 0; i--) {
        page[i - 1].next = r->free;
        r->free = (r->n_pages - 1) * PAGE_ITEMS + i;
    }
    return true;
}

uint32_t ready_add(struct ready *r, struct ready_list *l, const struct ready_item *item)
{
    if (r->free == READY_NONE && !add_page(r)) return READY_NONE;
    uint32_t ticket = r->free;
    struct ready_item *fresh = at(r, ticket);
    r->free = fresh->next;
    *fresh = *item;
    fresh->next = READY_NONE;
    fresh->prev = l->last;
    if (fresh->prev)
        at(r, fresh->prev)->next = ticket;
    else
        l->first = ticket;
    l->last = ticket;
    l->n++;
    r->n++;
    return ticket;
}

void ready_remove(struct ready *r, struct ready_list *l, uint32_t ticket)
{
    struct ready_item *old = at(r, ticket);
    if (old->next)
        at(r, old->next)->prev = old->prev;
    else
        l->last = old->prev;
    if (old->prev)
        at(r, old->prev)->next = old->next;
    else
        l->first = old->next;
    old->next = r->free;
    r->free = ticket;
    l->n--;
    r->n--;
    if (r->n > 0) return;
    for (uint32_t i = 0; i < r->n_pages; i++) /* memory follows use */
        free(r->pages[i]);
    r->n_pages = 0;
    r->free = READY_NONE;
}

uint64_t ready_octets(const struct ready *r)
{
    return (uint64_t)r->n_pages * PAGE_ITEMS * sizeof(struct ready_item) + r->max_pages * sizeof(void *);
}

void ready_destroy(struct ready *r)
{
    for (uint32_t i = 0; i < r->n_pages; i++)
        free(r->pages[i]);
    free(r->pages);
    *r = (struct ready){0};
}
