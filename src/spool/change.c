/* change: what happens to a message after it was committed: attempts, expansion, hold; and the schedule. */
#include "spool/store_private.h"

static struct message *find(const struct store *s, uint64_t id)
{
    struct message *m = id_map_find(&s->index.map, id);
    return m && !(m->flags & MESSAGE_PENDING) ? m : NULL;
}

const struct message *store_find(const struct store *s, uint64_t id)
{
    return find(s, id);
}

const struct message *store_after(const struct store *s, uint64_t cursor)
{
    struct message *m;
    while ((m = id_map_after(&s->index.map, cursor, &cursor)))
        if (!(m->flags & MESSAGE_PENDING)) return m;
    return NULL;
}

uint64_t store_expires_ms(const struct store *s, const struct message *m)
{
    return m->arrival_ms + (uint64_t)s->o.queue_seconds * 1000;
}

void store_place_recipient(struct store *s, struct message *m, uint32_t i)
{
    struct recipient *r = &message_recipients(m)[i];
    if (recipient_final(r->state)) {
        schedule_remove(&s->schedule, m, i);
        return;
    }
    index_count(&s->index, m, r, -1);
    bool held = (m->flags & (MESSAGE_HELD | MESSAGE_DAMAGED)) != 0;
    enum store_place place = held ? PLACE_HOLD : s->o.place(s->o.context, m, r);
    r->flags &= (uint8_t) ~(RECIPIENT_HELD | RECIPIENT_NO_ROUTE);
    if (place == PLACE_HOLD) r->flags |= RECIPIENT_HELD;
    if (place == PLACE_WAIT) r->flags |= RECIPIENT_NO_ROUTE;
    index_count(&s->index, m, r, 1);
    if (r->flags & RECIPIENT_IN_FLIGHT) return;
    uint64_t due = place == PLACE_WAIT ? store_expires_ms(s, m) : r->next_ms ? r->next_ms : s->now_ms;
    if (place == PLACE_HOLD || !schedule_set(&s->schedule, m, i, due)) schedule_remove(&s->schedule, m, i);
}

void store_place_message(struct store *s, struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        store_place_recipient(s, m, i);
}

void store_configure(struct store *s, uint32_t retry_first_seconds, uint32_t retry_max_seconds,
                     uint32_t queue_seconds)
{
    s->o.retry_first_seconds = retry_first_seconds;
    s->o.retry_max_seconds = retry_max_seconds;
    s->o.queue_seconds = queue_seconds;
}

void store_place_again(struct store *s, uint64_t now_ms)
{
    uint64_t id = 0;
    struct message *m;
    s->now_ms = now_ms;
    while ((m = id_map_after(&s->index.map, id, &id)))
        if (!(m->flags & MESSAGE_PENDING)) store_place_message(s, m);
}

bool store_due(struct store *s, uint64_t now_ms, uint64_t *id, uint32_t *recipient)
{
    const struct schedule_item *first = schedule_first(&s->schedule);
    if (!first || first->due_ms > now_ms) return false;
    struct message *m = first->message;
    *id = m->id;
    *recipient = first->recipient;
    schedule_remove(&s->schedule, m, *recipient);
    message_recipients(m)[*recipient].flags |= RECIPIENT_IN_FLIGHT;
    return true;
}

uint64_t store_next_due_ms(const struct store *s)
{
    const struct schedule_item *first = schedule_first(&s->schedule);
    return first ? first->due_ms : UINT64_MAX;
}

static bool open_recipient(const struct message *m, uint32_t i)
{
    return m && i < m->n_recipients && !recipient_final(message_recipients(m)[i].state);
}

void store_put_back(struct store *s, uint64_t id, uint32_t i, uint64_t due_ms)
{
    struct message *m = find(s, id);
    if (!open_recipient(m, i)) return;
    message_recipients(m)[i].flags &= (uint8_t)~RECIPIENT_IN_FLIGHT;
    message_recipients(m)[i].next_ms = due_ms; /* in memory only: no attempt was made */
    store_place_recipient(s, m, i);
}

/* Writes the record and takes over what it says. */
static void write_state(struct store *s, struct message *m, const struct state_payload *state, bool last)
{
    struct recipient *r = &message_recipients(m)[state->recipient];
    struct slot slot =
        journal_begin(s, RECORD_STATE, last ? RECORD_LAST : 0, m->id, (uint32_t)state_payload_octets(state));
    struct buf b = buf_on(slot.payload, slot.record.length);
    state_payload_put(&b, state);
    journal_end_crc(s, &slot);
    segment_need(s->log, m->home);
    index_count(&s->index, m, r, -1);
    r->state = state->state;
    r->attempts = state->attempts;
    r->next_ms = state->next_ms;
    r->flags &= (uint8_t)~RECIPIENT_IN_FLIGHT;
    r->state_segment = s->log->number;
    r->state_offset = (uint32_t)(slot.offset - RECORD_HEAD_OCTETS);
    if (recipient_final(r->state)) m->n_open--;
    index_count(&s->index, m, r, 1);
}

static void finish(struct store *s, struct message *m)
{
    index_count_all(&s->index, m, -1);
    schedule_remove_all(&s->schedule, m);
    (void)id_map_remove(&s->index.map, m->id);
    journal_finish(s, m);
    s->finished++;
}

bool store_attempt(struct store *s, uint64_t id, uint32_t i, const struct attempt *a, uint64_t now_ms)
{
    uint8_t old[LIMIT_STATE_HISTORY_OCTETS + 64], history[LIMIT_STATE_HISTORY_OCTETS + 512];
    s->now_ms = now_ms;
    struct message *m = find(s, id);
    if (!open_recipient(m, i)) return true; /* finished meanwhile: nothing to change */
    if (journal_room(s, record_octets(LIMIT_STATE_HISTORY_OCTETS + 64), true) != STORE_DURABLE) return false;
    struct recipient *r = &message_recipients(m)[i];
    struct state_event event = {now_ms, a->state, a->enhanced, a->text};
    struct buf b = buf_on(history, sizeof history);
    state_payload_history(&b, store_read_history(s, m, i, old, sizeof old), &event);
    struct state_payload state = {
        .home = m->home, .recipient = i, .state = a->state, .attempts = r->attempts, .history = buf_span(&b)};
    if (a->state != RECIPIENT_EXPIRED && state.attempts < UINT16_MAX) state.attempts++;
    if (a->state == RECIPIENT_DEFERRED) {
        uint64_t wait = schedule_back_off_ms(s->o.seed, id, i, state.attempts, s->o.retry_first_seconds,
                                             s->o.retry_max_seconds);
        state.next_ms = a->next_ms ? a->next_ms : now_ms + wait;
        if (state.next_ms > store_expires_ms(s, m)) state.next_ms = store_expires_ms(s, m);
    }
    bool last = recipient_final(a->state) && m->n_open == 1;
    write_state(s, m, &state, last);
    if (last)
        finish(s, m);
    else
        store_place_recipient(s, m, i);
    return true;
}

static bool measure(struct span targets, uint32_t *count, size_t *strings)
{
    struct wire w = wire_on(targets);
    struct derived d;
    *count = 0;
    *strings = 0;
    while (derived_read(&w, &d)) {
        ++*count;
        *strings += d.path.n;
    }
    return wire_done(&w) && *count > 0 && *count <= LIMIT_ALIAS_EXPANSION;
}

bool store_expand(struct store *s, uint64_t id, uint32_t i, struct span owner, struct span targets,
                  uint64_t now_ms)
{
    uint8_t history[512];
    uint32_t count;
    size_t strings;
    s->now_ms = now_ms;
    struct message *m = find(s, id);
    if (!open_recipient(m, i)) return true;
    if (owner.n > LIMIT_PATH_OCTETS || !measure(targets, &count, &strings) ||
        count > LIMIT_MESSAGE_RECIPIENTS - m->n_recipients)
        return false;
    if (journal_room(s, record_octets(targets.n + owner.n + sizeof history + 64), true) != STORE_DURABLE)
        return false;
    struct state_event event = {now_ms, RECIPIENT_EXPANDED, (struct span){0},
                                SPAN("replaced by what its alias names")};
    struct buf b = buf_on(history, sizeof history);
    state_payload_history(&b, (struct span){0}, &event);
    struct state_payload state = {.home = m->home,
                                  .recipient = i,
                                  .state = RECIPIENT_EXPANDED,
                                  .attempts = message_recipients(m)[i].attempts,
                                  .history = buf_span(&b),
                                  .first = m->n_recipients,
                                  .count = count,
                                  .owner = owner,
                                  .derived = targets};
    struct message *grown = index_grow(&s->index, m, m->n_recipients + count, strings + owner.n);
    if (!grown) return false;
    m = grown;
    schedule_moved(&s->schedule, m);
    m->n_open += count; /* before the original closes, so that the message does not finish */
    write_state(s, m, &state, false);
    store_derive(m, &state);
    for (uint32_t d = 0; d < count; d++) {
        index_count(&s->index, m, &message_recipients(m)[state.first + d], 1);
        store_place_recipient(s, m, state.first + d);
    }
    return true;
}

void store_derive(struct message *m, const struct state_payload *state)
{
    struct wire w = wire_on(state->derived);
    struct derived d;
    struct recipient *parent = &message_recipients(m)[state->recipient];
    uint8_t notify = parent->notify;
    parent->owner_offset = m->strings_length;
    parent->owner_length = (uint32_t)state->owner.n;
    if (state->owner.n) memcpy(message_strings(m) + m->strings_length, state->owner.p, state->owner.n);
    m->strings_length += (uint32_t)state->owner.n;
    for (uint32_t i = state->first; i < state->first + state->count && derived_read(&w, &d); i++) {
        struct recipient *r = &message_recipients(m)[i];
        memcpy(message_strings(m) + m->strings_length, d.path.p, d.path.n);
        r->path_offset = m->strings_length;
        r->path_length = (uint8_t)d.path.n;
        m->strings_length += (uint32_t)d.path.n;
        r->parent = state->recipient;
        r->notify = notify;
        r->flags |= RECIPIENT_DERIVED;
        if (d.kind != DERIVED_REMOTE) r->flags |= RECIPIENT_LOCAL;
        if (d.kind == DERIVED_NOBODY) r->flags |= RECIPIENT_NOBODY;
        if (r->state == RECIPIENT_VOID) r->state = RECIPIENT_QUEUED; /* else its own STATE was read before */
    }
}

bool store_hold(struct store *s, uint64_t id, bool held, uint64_t now_ms)
{
    s->now_ms = now_ms;
    struct message *m = find(s, id);
    if (!m || ((m->flags & MESSAGE_HELD) != 0) == held) return m != NULL;
    if (journal_room(s, record_octets(HOLD_PAYLOAD_OCTETS), true) != STORE_DURABLE) return false;
    struct slot slot = journal_begin(s, RECORD_HOLD, 0, id, HOLD_PAYLOAD_OCTETS);
    struct buf b = buf_on(slot.payload, slot.record.length);
    hold_payload_put(&b, &(struct hold_payload){m->home, held, now_ms});
    journal_end_crc(s, &slot);
    segment_need(s->log, m->home);
    m->hold_segment = s->log->number;
    m->hold_offset = (uint32_t)(slot.offset - RECORD_HEAD_OCTETS);
    index_count_all(&s->index, m, -1);
    m->flags = (uint8_t)(held ? m->flags | MESSAGE_HELD : m->flags & ~MESSAGE_HELD);
    index_count_all(&s->index, m, 1);
    store_place_message(s, m);
    return true;
}
