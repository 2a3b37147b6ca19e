/* damage: the places known to be damaged. Recovery, verify and every reader meet the same bad record again: it is counted and told
 * once, with the message it belongs to as soon as somebody knows it. */
#include "spool/record.h"
#include "spool/store_private.h"

static bool overlaps(const struct damage *d, uint32_t segment, uint64_t from, uint64_t to)
{
    return d->segment == segment && from < d->to && d->from < to;
}

bool damage_known(const struct store *s, uint32_t segment, uint64_t from, uint64_t to)
{
    for (uint32_t i = 0; i < s->n_damages; i++)
        if (overlaps(&s->damages[i], segment, from, to)) return true;
    return false;
}

bool damage_extent_known(const struct store *s, const struct extent *e)
{
    return damage_known(s, e->segment, e->offset - RECORD_HEAD_OCTETS, e->offset + e->length);
}

void damage_note(struct store *s, uint32_t segment, uint64_t from, uint64_t to, uint64_t id, const char *text)
{
    bool known = false;
    for (uint32_t i = 0; i < s->n_damages; i++) {
        struct damage *d = &s->damages[i];
        if (!overlaps(d, segment, from, to)) continue;
        known = true;
        if (d->id != 0 && id != 0 && d->id != id) continue; /* several messages in one gap: each is named */
        if (id != 0 && !d->told) d->text = text;            /* says more than that a record is bad */
        if (id != 0) d->id = id;
        return;
    }
    if (known && id == 0) return;
    if (s->n_damages == LIMIT_DAMAGES) {
        s->more_damages++;
        store_say(s, ALARM_DAMAGED, segment, from, id, 0, text);
        return;
    }
    s->damages[s->n_damages++] =
        (struct damage){.from = from, .to = to, .id = id, .segment = segment, .text = text};
}

void damage_tell(struct store *s)
{
    for (uint32_t i = 0; i < s->n_damages; i++) {
        struct damage *d = &s->damages[i];
        if (d->told) continue;
        d->told = true;
        store_say(s, ALARM_DAMAGED, d->segment, d->from, d->id, 0, d->text);
    }
}

void damage_forget(struct store *s, uint32_t segment)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->n_damages; i++)
        if (s->damages[i].segment != segment) s->damages[kept++] = s->damages[i];
    s->n_damages = kept;
}
