/* change: what happens to a message after it was committed: attempts, expansion, hold. */
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
    uint64_t life = (uint64_t)s->o.queue_seconds * 1000, at = m->arrival_ms + life;
    uint64_t cycle = (uint64_t)s->o.retry_max_seconds * 2000; /* from the first wait to the longest */
    uint64_t released = m->released_seconds * UINT64_C(1000) + (cycle < life ? cycle : life);
    return m->flags & MESSAGE_RELEASED && released > at ? released : at;
}

static bool open_recipient(const struct message *m, uint32_t i)
{
    return m && i < m->n_recipients && !recipient_final(message_recipients(m)[i].state);
}

/* Writes the record and takes over what it says. */
static void write_state(struct store *s, struct message *m, const struct state_payload *state,
                        const struct state_event *event, bool last)
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
    r->flags &= (uint16_t)~RECIPIENT_IN_FLIGHT;
    if (state->marks & STATE_DELAY_TOLD) {
        r->flags &= (uint16_t)~RECIPIENT_DELAY_TELLING; /* else the word to its sender is still on its way */
        r->flags |= RECIPIENT_DELAY_TOLD;
    }
    r->state_segment = s->log->number;
    r->state_offset = (uint32_t)(slot.offset - RECORD_HEAD_OCTETS);
    if (recipient_final(r->state)) m->n_open--;
    if (event->kind != EVENT_DELAY)
        index_reason(&s->index, r, recipient_final(r->state) ? (struct span){0} : event->enhanced,
                     recipient_final(r->state) ? (struct span){0} : event->text);
    index_count(&s->index, m, r, 1);
}

void store_know_reason(struct store *s, struct recipient *r, struct span history)
{
    struct wire w = wire_on(history);
    struct state_event e, last = {0};
    while (!recipient_final(r->state) && state_event_read(&w, &e))
        if (e.kind != EVENT_DELAY) last = e;
    index_reason(&s->index, r, last.enhanced, last.text);
}

static void finish(struct store *s, struct message *m)
{
    for (uint32_t i = 0; i < m->n_recipients; i++)
        store_leave_ready(s, &message_recipients(m)[i]);
    index_count_all(&s->index, m, -1);
    index_forget_reasons(&s->index, m);
    schedule_remove_all(&s->schedule, m);
    (void)id_map_remove(&s->index.map, m->id);
    journal_finish(s, m);
    s->finished++;
}

struct span store_reason(const struct store *s, const struct recipient *r)
{
    return reasons_text(&s->index.reasons, r->reason);
}

static uint8_t marks_of(const struct recipient *r)
{
    return r->flags & RECIPIENT_DELAY_TOLD ? STATE_DELAY_TOLD : 0;
}

/* What a recipient's STATE says now, with one more event. history: at least LIMIT_STATE_HISTORY_OCTETS + LIMIT_STATE_EVENT_OCTETS. */
static struct state_payload with_event(struct store *s, const struct message *m, uint32_t i,
                                       const struct state_event *event, struct buf *history)
{
    uint8_t old[LIMIT_STATE_HISTORY_OCTETS + 64];
    const struct recipient *r = &message_recipients(m)[i];
    state_payload_history(history, store_read_history(s, m, i, old, sizeof old), event);
    return (struct state_payload){.home = m->home,
                                  .recipient = i,
                                  .state = event->state,
                                  .marks = marks_of(r),
                                  .attempts = r->attempts,
                                  .next_ms = r->next_ms,
                                  .history = buf_span(history)};
}

static bool state_room(struct store *s)
{
    return journal_room(s, record_octets(LIMIT_STATE_HISTORY_OCTETS + 64), true) == STORE_DURABLE;
}

bool store_attempt(struct store *s, uint64_t id, uint32_t i, const struct attempt *a, uint64_t now_ms)
{
    uint8_t memory[LIMIT_STATE_HISTORY_OCTETS + LIMIT_STATE_EVENT_OCTETS];
    struct buf history = buf_on(memory, sizeof memory);
    s->now_ms = now_ms;
    struct message *m = find(s, id);
    if (!open_recipient(m, i)) return true; /* finished meanwhile: nothing to change */
    if (!state_room(s)) return false;
    struct state_event event = {.time_ms = now_ms,
                                .kind = a->kind,
                                .state = a->state,
                                .enhanced = a->enhanced,
                                .text = a->text,
                                .trace = a->trace};
    struct state_payload state = with_event(s, m, i, &event, &history);
    state.next_ms = 0;
    if (a->kind == EVENT_ATTEMPT && a->state != RECIPIENT_EXPIRED && state.attempts < UINT16_MAX)
        state.attempts++;
    if (a->state == RECIPIENT_DEFERRED) {
        uint64_t wait = schedule_back_off_ms(s->o.seed, id, i, state.attempts, s->o.retry_first_seconds,
                                             s->o.retry_max_seconds);
        state.next_ms = a->next_ms ? a->next_ms : now_ms + wait;
        if (state.next_ms > store_expires_ms(s, m)) state.next_ms = store_expires_ms(s, m);
    }
    bool last = recipient_final(a->state) && m->n_open == 1;
    write_state(s, m, &state, &event, last);
    if (last)
        finish(s, m);
    else
        store_place_recipient(s, m, i);
    return true;
}

bool store_requeue(struct store *s, uint64_t id, uint32_t i, struct span text, uint64_t now_ms)
{
    uint8_t memory[LIMIT_STATE_HISTORY_OCTETS + LIMIT_STATE_EVENT_OCTETS];
    struct buf history = buf_on(memory, sizeof memory);
    s->now_ms = now_ms;
    struct message *m = find(s, id);
    if (!open_recipient(m, i) || message_recipients(m)[i].flags & RECIPIENT_IN_FLIGHT) return true;
    if (!state_room(s)) return false;
    struct state_event event = {
        .time_ms = now_ms, .kind = EVENT_OPERATOR, .state = RECIPIENT_QUEUED, .text = text};
    struct state_payload state = with_event(s, m, i, &event, &history);
    state.attempts = 0;
    state.next_ms = 0;
    write_state(s, m, &state, &event, false);
    store_place_recipient(s, m, i);
    return true;
}

bool store_delay_told(struct store *s, uint64_t id, uint32_t i, uint64_t now_ms)
{
    uint8_t memory[LIMIT_STATE_HISTORY_OCTETS + LIMIT_STATE_EVENT_OCTETS];
    struct buf history = buf_on(memory, sizeof memory);
    s->now_ms = now_ms;
    struct message *m = find(s, id);
    if (!open_recipient(m, i) || message_recipients(m)[i].flags & RECIPIENT_DELAY_TOLD) return true;
    if (!state_room(s)) return false;
    struct recipient *r = &message_recipients(m)[i];
    struct state_event event = {.time_ms = now_ms,
                                .kind = EVENT_DELAY,
                                .state = r->state,
                                .text = SPAN("its sender was told that it is late")};
    struct state_payload state = with_event(s, m, i, &event, &history);
    bool in_flight = (r->flags & RECIPIENT_IN_FLIGHT) != 0;
    state.marks |= STATE_DELAY_TOLD;
    write_state(s, m, &state, &event, false);
    if (in_flight) r->flags |= RECIPIENT_IN_FLIGHT; /* its attempt goes on, as does its waiting */
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
    struct state_event event = {.time_ms = now_ms,
                                .kind = EVENT_EXPANDED,
                                .state = RECIPIENT_EXPANDED,
                                .text = SPAN("replaced by what its alias names")};
    struct buf b = buf_on(history, sizeof history);
    state_payload_history(&b, (struct span){0}, &event);
    struct state_payload state = {.home = m->home,
                                  .recipient = i,
                                  .state = RECIPIENT_EXPANDED,
                                  .marks = marks_of(&message_recipients(m)[i]),
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
    write_state(s, m, &state, &event, false);
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

bool store_hold(struct store *s, uint64_t id, bool held, uint32_t uid, uint64_t now_ms)
{
    s->now_ms = now_ms;
    struct message *m = find(s, id);
    if (!m || m->flags & (held ? MESSAGE_HELD : MESSAGE_RELEASED)) return m != NULL;
    if (journal_room(s, record_octets(HOLD_PAYLOAD_OCTETS(LIMIT_HOLD_EVENTS)), true) != STORE_DURABLE)
        return false;
    struct hold_payload hold;
    if (!store_read_holds(s, m, &hold)) hold = (struct hold_payload){0};
    hold.home = m->home;
    hold_payload_add(&hold, &(struct hold_event){now_ms, uid, held});
    struct slot slot = journal_begin(s, RECORD_HOLD, 0, id, HOLD_PAYLOAD_OCTETS(hold.count));
    struct buf b = buf_on(slot.payload, slot.record.length);
    hold_payload_put(&b, &hold);
    journal_end_crc(s, &slot);
    segment_need(s->log, m->home);
    m->hold_segment = s->log->number;
    m->hold_offset = (uint32_t)(slot.offset - RECORD_HEAD_OCTETS);
    index_count_all(&s->index, m, -1);
    index_hold(m, &hold);
    index_count_all(&s->index, m, 1);
    store_place_message(s, m);
    return true;
}
