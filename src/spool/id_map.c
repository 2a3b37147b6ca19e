#include "spool/id_map.h"

#include <stdlib.h>

#define PAGE_IDS 512

struct id_page {
    uint32_t n;
    uint64_t ids[PAGE_IDS];
    void *values[PAGE_IDS];
};

/* The last page whose first id is not above id (0 when there is none). */
static size_t page_of(const struct id_map *m, uint64_t id)
{
    size_t low = 0, high = m->n_pages;
    if (high && m->pages[high - 1]->ids[0] <= id) return high - 1; /* the usual case: new mail */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (m->pages[middle]->ids[0] <= id)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint32_t place_in(const struct id_page *page,
                         uint64_t id) /* the first place whose id is not below id */
{
    uint32_t low = 0, high = page->n;
    if (high && page->ids[high - 1] < id) return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (page->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool locate(const struct id_map *m, uint64_t id, size_t *page, uint32_t *place)
{
    if (m->n_pages == 0) return false;
    *page = page_of(m, id);
    *place = place_in(m->pages[*page], id);
    return *place < m->pages[*page]->n && m->pages[*page]->ids[*place] == id;
}

void *id_map_find(const struct id_map *m, uint64_t id)
{
    size_t page;
    uint32_t place;
    return locate(m, id, &page, &place) ? m->pages[page]->values[place] : NULL;
}

static struct id_page *page_add(struct id_map *m, size_t at)
{
    if (m->n_pages == m->max_pages) {
        size_t max = m->max_pages ? m->max_pages * 2 : 16;
        struct id_page **pages = realloc(m->pages, max * sizeof(struct id_page *));
        if (!pages) return NULL;
        m->pages = pages;
        m->max_pages = max;
    }
    struct id_page *page = malloc(sizeof *page);
    if (!page) return NULL;
    page->n = 0;
    memmove(m->pages + at + 1, m->pages + at, (m->n_pages - at) * sizeof(struct id_page *));
    m->pages[at] = page;
    m->n_pages++;
    return page;
}

static void page_remove(struct id_map *m, size_t at)
{
    free(m->pages[at]);
    m->n_pages--;
    memmove(m->pages + at, m->pages + at + 1, (m->n_pages - at) * sizeof(struct id_page *));
}

static void copy_ids(struct id_page *to, uint32_t at, const struct id_page *from, uint32_t first, uint32_t n)
{
    memmove(to->ids + at, from->ids + first, n * sizeof(uint64_t));
    memmove(to->values + at, from->values + first, n * sizeof(void *));
}

bool id_map_insert(struct id_map *m, uint64_t id, void *value)
{
    size_t at = 0;
    uint32_t place = 0;
    if (locate(m, id, &at, &place)) return false;
    if (m->n_pages == 0 && !page_add(m, 0)) return false;
    struct id_page *page = m->pages[at];
    if (page->n == PAGE_IDS) {
        struct id_page *upper = page_add(m, at + 1);
        if (!upper) return false;
        if (place == PAGE_IDS) { /* growing at the end: keep the full page full */
            page = upper;
            place = 0;
        } else {
            copy_ids(upper, 0, page, PAGE_IDS / 2, PAGE_IDS / 2);
            upper->n = page->n = PAGE_IDS / 2;
            if (place > PAGE_IDS / 2) {
                page = upper;
                place -= PAGE_IDS / 2;
            }
        }
    }
    copy_ids(page, place + 1, page, place, page->n - place);
    page->ids[place] = id;
    page->values[place] = value;
    page->n++;
    m->count++;
    return true;
}

void id_map_replace(struct id_map *m, uint64_t id, void *value)
{
    size_t page;
    uint32_t place;
    if (locate(m, id, &page, &place)) m->pages[page]->values[place] = value;
}

static void merge(struct id_map *m, size_t at) /* small neighbours become one, so memory follows use */
{
    if (at + 1 >= m->n_pages) return;
    struct id_page *page = m->pages[at], *next = m->pages[at + 1];
    if (page->n + next->n > PAGE_IDS / 2) return;
    copy_ids(page, page->n, next, 0, next->n);
    page->n += next->n;
    page_remove(m, at + 1);
}

void *id_map_remove(struct id_map *m, uint64_t id)
{
    size_t at;
    uint32_t place;
    if (!locate(m, id, &at, &place)) return NULL;
    struct id_page *page = m->pages[at];
    void *value = page->values[place];
    copy_ids(page, place, page, place + 1, page->n - place - 1);
    page->n--;
    m->count--;
    if (page->n == 0) {
        page_remove(m, at);
    } else if (page->n < PAGE_IDS / 4) {
        merge(m, at);
        if (at > 0) merge(m, at - 1);
    }
    return value;
}

void *id_map_after(const struct id_map *m, uint64_t cursor, uint64_t *id)
{
    if (m->n_pages == 0 || cursor == UINT64_MAX) return NULL;
    size_t at = page_of(m, cursor + 1);
    uint32_t place = place_in(m->pages[at], cursor + 1);
    if (place == m->pages[at]->n) {
        if (++at == m->n_pages) return NULL;
        place = 0;
    }
    *id = m->pages[at]->ids[place];
    return m->pages[at]->values[place];
}

uint64_t id_map_last(const struct id_map *m)
{
    if (m->n_pages == 0) return 0;
    const struct id_page *page = m->pages[m->n_pages - 1];
    return page->ids[page->n - 1];
}

void id_map_destroy(struct id_map *m)
{
    for (size_t i = 0; i < m->n_pages; i++)
        free(m->pages[i]);
    free(m->pages);
    *m = (struct id_map){0};
}
