#include "spool/scan.h"

#include "base/crc32c.h"

static bool intact(const struct scan *s, size_t at, struct record *r, bool *head)
{
    *head = at + RECORD_HEAD_OCTETS <= s->n &&
            record_head_read(s->p + at, s->epoch, at == 0 ? 0 : s->salt, r) &&
            r->length <= s->n - at - RECORD_HEAD_OCTETS;
    return *head && crc32c(0, s->p + at + RECORD_HEAD_OCTETS, r->length) == r->payload_crc;
}

/* The next record behind a bad place that is intact as a whole; n: none. */
static size_t next_intact(const struct scan *s, size_t from, struct record *r)
{
    size_t at = from;
    bool head;
    while ((at = record_find(s->p, s->n, at, s->epoch, s->salt)) < s->n) {
        if (intact(s, at, r, &head)) return at;
        at += RECORD_ALIGN;
    }
    return s->n;
}

/* Is the bad place inside something that was durable? Only a batch that was written after it can prove that. */
static bool proven_durable(const struct scan *s, size_t at, bool *clean)
{
    struct record r;
    *clean = true;
    while ((at = next_intact(s, at, &r)) < s->n) {
        uint16_t ahead = (uint16_t)(r.batch - s->batch);
        *clean = false;
        if (ahead < 0x8000 && (ahead >= 2 || (ahead == 1 && !s->whole))) return true;
        at += record_octets(r.length);
        if (at > s->n) break;
    }
    return false;
}

static size_t skip_damage(struct scan *s, size_t at, const struct record *bad, bool head)
{
    struct record r;
    size_t next = next_intact(s, at + RECORD_ALIGN, &r);
    if (next == s->n && s->how == SCAN_OPEN) return s->n; /* zeros behind the last batch, most likely */
    s->gaps++;
    if (s->damage)
        s->damage(s->context, at, next, head ? bad->id : 0,
                  s->file && s->file < s->n && next == s->n ? "a segment is shorter than its durable end"
                  : head                                    ? "the payload of a record is damaged"
                                                            : "records are damaged");
    return next;
}

/* The last segment: where does what counts end? Behind the last batch that is whole: a batch that is not was never answered, and
 * what it holds may make sense only as a whole (a message copied forward and its states). */
static void find_end(struct scan *s)
{
    struct scan end = *s;
    size_t at = 0;
    struct record r;
    bool head;
    end.batch = 0;
    end.whole = end.clean = true;
    s->end = 0;
    s->batch = 0;
    s->clean = true;
    while (at + RECORD_HEAD_OCTETS <= s->n) {
        if (intact(s, at, &r, &head)) {
            end.batch = r.batch;
            end.whole = (r.flags & RECORD_END) != 0;
            at = record_next(at, &r);
            if (!end.whole) continue;
            s->end = at < s->n ? at : s->n;
            s->batch = r.batch;
            continue;
        }
        if (!proven_durable(&end, at + RECORD_ALIGN, &s->clean)) break;
        at = next_intact(s, at + RECORD_ALIGN, &r); /* damage: told when the records are */
        end.whole = false;
    }
    s->clean &= end.whole; /* the records of a torn batch stand behind the end */
}

void scan_segment(struct scan *s)
{
    size_t at = 0;
    struct record r;
    bool head;
    s->records = s->gaps = 0;
    if (s->how == SCAN_LAST) {
        find_end(s);
        s->n = s->end;
    }
    s->end = 0;
    while (at + RECORD_HEAD_OCTETS <= s->n) {
        if (intact(s, at, &r, &head)) {
            s->record(s->context, at, &r, span_of(s->p + at + RECORD_HEAD_OCTETS, r.length));
            s->records++;
            s->batch = r.batch;
            at = record_next(at, &r);
            s->end = at < s->n ? at : s->n;
            continue;
        }
        at = skip_damage(s, at, &r, head);
    }
    if (s->how == SCAN_LAST) s->end = s->n;
    s->whole = true;
}

bool scan_head(const uint8_t *p, size_t n, uint32_t epoch, struct record *r, struct span *payload)
{
    if (n < RECORD_HEAD_OCTETS || !record_head_read(p, epoch, 0, r) || r->type != RECORD_SEGMENT)
        return false;
    if (r->length > n - RECORD_HEAD_OCTETS || crc32c(0, p + RECORD_HEAD_OCTETS, r->length) != r->payload_crc)
        return false;
    *payload = span_of(p + RECORD_HEAD_OCTETS, r->length);
    return true;
}

bool scan_proves_use(const uint8_t *p, size_t n, size_t from, uint32_t epoch, uint64_t salt)
{
    struct scan s = {.p = p, .n = n, .epoch = epoch, .salt = salt};
    struct record r;
    return next_intact(&s, from < RECORD_ALIGN ? RECORD_ALIGN : from, &r) < n;
}
