#include "spool/segment.h"

#include <errno.h>
#include <stdlib.h>

static size_t place_of(const struct segments *t, uint32_t number)
{
    size_t low = 0, high = t->n;
    if (high && t->all[high - 1]->number < number) return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->all[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct segment *segments_find(const struct segments *t, uint32_t number)
{
    size_t at = place_of(t, number);
    return at < t->n && t->all[at]->number == number ? t->all[at] : NULL;
}

struct segment *segments_add(struct segments *t, uint32_t number, enum segment_kind kind,
                             enum segment_state state)
{
    if (t->n >= LIMIT_SEGMENTS || segments_find(t, number)) return NULL;
    if (t->n == t->max) {
        size_t max = t->max ? t->max * 2 : 64;
        struct segment **all = realloc(t->all, max * sizeof(struct segment *));
        if (!all) return NULL;
        t->all = all;
        t->max = max;
    }
    struct segment *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->number = number;
    s->kind = (uint8_t)kind;
    s->state = (uint8_t)state;
    s->file = s->read_file = -1;
    size_t at = place_of(t, number);
    memmove(t->all + at + 1, t->all + at, (t->n - at) * sizeof(struct segment *));
    t->all[at] = s;
    t->n++;
    return s;
}

void segment_close(struct segments *t, const struct disk *d, struct segment *s)
{
    if (s->file >= 0) d->ops->close(d->context, s->file);
    s->file = -1;
    if (s->read_file >= 0) {
        d->ops->close(d->context, s->read_file);
        t->open_files--;
    }
    s->read_file = -1;
}

void segments_remove(struct segments *t, const struct disk *d, struct segment *s)
{
    size_t at = place_of(t, s->number);
    segment_close(t, d, s);
    free(s->needs);
    t->n--;
    memmove(t->all + at, t->all + at + 1, (t->n - at) * sizeof(struct segment *));
    free(s);
}

void segments_destroy(struct segments *t, const struct disk *d)
{
    while (t->n)
        segments_remove(t, d, t->all[t->n - 1]);
    free(t->all);
    *t = (struct segments){0};
}

int segment_read_file(struct segments *t, const struct disk *d, struct segment *s)
{
    if (s->read_file >= 0) return s->read_file;
    if (t->open_files >= LIMIT_SEGMENT_FILES_OPEN)
        for (size_t i = 0; i < t->n; i++) /* rare: all that nobody holds on lease are closed at once */
            if (t->all[i]->read_file >= 0 && t->all[i]->leases == 0) {
                d->ops->close(d->context, t->all[i]->read_file);
                t->all[i]->read_file = -1;
                t->open_files--;
            }
    char name[DISK_NAME_OCTETS];
    segment_name_put(name, segment_name_of(s->kind), s->number);
    int file = d->ops->open(d->context, name, DISK_READ);
    if (file < 0) return file;
    s->read_file = file;
    t->open_files++;
    return file;
}

void segment_need(struct segment *s, uint32_t home)
{
    if (home == s->number) return; /* dies with it */
    uint32_t at = s->n_needs;
    while (at > 0 && s->needs[at - 1] >= home)
        at--;
    if (at < s->n_needs && s->needs[at] == home) return;
    if (s->n_needs == s->max_needs) {
        uint32_t max = s->max_needs ? s->max_needs * 2 : 8;
        uint32_t *needs = realloc(s->needs, max * sizeof *needs);
        if (!needs) {
            s->kept = true;
            return;
        }
        s->needs = needs;
        s->max_needs = max;
    }
    memmove(s->needs + at + 1, s->needs + at, (s->n_needs - at) * sizeof *s->needs);
    s->needs[at] = home;
    s->n_needs++;
}

void segment_seal(struct segment *s, const struct disk *d)
{
    s->state = SEGMENT_SEALED;
    if (s->file >= 0) d->ops->close(d->context, s->file);
    s->file = -1;
}

static const char *const prefixes[] = {[NAME_NEW] = "new-", [NAME_LOG] = "log-", [NAME_LARGE] = "big-"};
#define PREFIX_OCTETS 4
#define NUMBER_DIGITS 8

void segment_name_put(char name[DISK_NAME_OCTETS], enum segment_name what, uint32_t number)
{
    memcpy(name, prefixes[what], PREFIX_OCTETS);
    for (int i = NUMBER_DIGITS; i-- > 0; number >>= 4)
        name[PREFIX_OCTETS + i] = "0123456789abcdef"[number & 15];
    name[PREFIX_OCTETS + NUMBER_DIGITS] = 0;
}

bool segment_name_read(const char *name, enum segment_name *what, uint32_t *number)
{
    char again[DISK_NAME_OCTETS];
    uint32_t v = 0;
    if (strlen(name) != PREFIX_OCTETS + NUMBER_DIGITS) return false;
    for (int i = 0; i < NUMBER_DIGITS; i++) {
        const char *digit = memchr("0123456789abcdef", name[PREFIX_OCTETS + i], 16);
        if (!digit) return false;
        v = v << 4 | (uint32_t)(*digit <= '9' ? *digit - '0' : *digit - 'a' + 10);
    }
    for (int kind = NAME_NEW; kind <= NAME_LARGE; kind++) {
        segment_name_put(again, (enum segment_name)kind, v);
        if (strcmp(again, name) == 0 && v != 0) {
            *what = (enum segment_name)kind;
            *number = v;
            return true;
        }
    }
    return false;
}
