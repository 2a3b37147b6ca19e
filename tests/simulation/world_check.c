/* What must be true of a recovered store, whatever happened to it. */
#include "world_private.h"

static bool known_path(const struct model *e, const struct message *m, uint32_t i)
{
    uint8_t memory[128];
    struct buf b = buf_on(memory, sizeof memory);
    const struct recipient *r = &message_recipients(m)[i];
    if (r->state == RECIPIENT_VOID) return true;
    world_put_path(&b, e->id, i);
    return span_eq(message_path(m, r), buf_span(&b)) && ((r->flags & RECIPIENT_LOCAL) != 0) == (i % 5 != 4);
}

static void check_recipients(struct world *w, struct model *e, const struct message *m)
{
    if (m->n_recipients < e->n_durable || m->n_recipients > e->n) {
        world_wrong(w, "%llx has %u recipients, not %u..%u", (unsigned long long)e->id, m->n_recipients,
                    e->n_durable, e->n);
        return;
    }
    uint32_t open = 0;
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &message_recipients(m)[i];
        struct expected *x = &e->r[i];
        bool old = r->state == x->durable && r->attempts == x->durable_attempts;
        bool now = r->state == x->now && r->attempts == x->attempts;
        bool between =
            r->attempts > x->durable_attempts &&
            r->attempts < x->attempts + (x->now == RECIPIENT_EXPANDED || x->now == RECIPIENT_EXPIRED ||
                                         x->now == RECIPIENT_REMOVED); /* no attempts */
        if (x->requeued && (r->attempts <= x->most || r->attempts <= x->attempts)) between = true;
        bool told = (r->flags & RECIPIENT_DELAY_TOLD) != 0;
        if ((told && !x->told) || (!told && x->told_durably))
            world_wrong(w, "%llx/%u: was its sender told?", (unsigned long long)e->id, i);
        if (x->durable == RECIPIENT_VOID && r->state == RECIPIENT_QUEUED && r->attempts == 0) old = true;
        if (!old && !now && !between)
            world_wrong(w, "%llx/%u is %s after %u attempts, not %s/%u or %s/%u", (unsigned long long)e->id,
                        i, recipient_state_name(r->state), r->attempts, recipient_state_name(x->durable),
                        x->durable_attempts, recipient_state_name(x->now), x->attempts);
        if (!known_path(e, m, i)) world_wrong(w, "%llx/%u has another's path", (unsigned long long)e->id, i);
        if (!recipient_final(r->state)) open++;
        const struct expected before = *x;
        *x = (struct expected){.now = r->state,
                               .durable = w->unsure ? before.durable : r->state,
                               .attempts = r->attempts,
                               .durable_attempts = w->unsure ? before.durable_attempts : r->attempts,
                               .told = told,
                               .told_durably = w->unsure ? before.told_durably : told};
    }
    if (open != m->n_open || open == 0)
        world_wrong(w, "%llx: %u open recipients, %u said", (unsigned long long)e->id, open, m->n_open);
    e->n = m->n_recipients;
    if (!w->unsure) e->n_durable = e->n;
}

static void check_message(struct world *w, struct model *e, const struct message *m)
{
    bool there = m != NULL;
    switch (e->answer) {
    case QUEUED:
        if (!there && !e->gone)
            world_wrong(w, "%llx was acknowledged and is lost", (unsigned long long)e->id);
        if (there && e->gone_durably)
            world_wrong(w, "%llx was finished and is back", (unsigned long long)e->id);
        break;
    case REFUSED:
        if (there)
            world_wrong(w, "%llx was refused, aborted or incomplete, and is there",
                        (unsigned long long)e->id);
        break;
    case MAYBE: break;
    default:
        if (there) world_wrong(w, "%llx is there before its time", (unsigned long long)e->id);
    }
    if (!there) {
        if (e->answer == MAYBE && !w->unsure) e->answer = REFUSED;
        e->gone = e->answer == QUEUED;
        if (!w->unsure) e->gone_durably = e->gone;
        return;
    }
    if (!w->unsure) e->answer = QUEUED;
    e->gone = e->gone_durably = false;
    if (m->content_octets != e->octets) world_wrong(w, "%llx has another size", (unsigned long long)e->id);
    if (m->flags & MESSAGE_DAMAGED) world_wrong(w, "%llx is said to be damaged", (unsigned long long)e->id);
    bool held = (m->flags & MESSAGE_HELD) != 0;
    if (held != e->held_durably && !e->held_changed)
        world_wrong(w, "%llx: hold is wrong", (unsigned long long)e->id);
    struct hold_payload holds;
    if (m->hold_segment && (!store_read_holds(w->store, m, &holds) || hold_payload_held(&holds) != held ||
                            holds.events[0].uid != (uint32_t)e->id))
        world_wrong(w, "%llx does not know when it was held", (unsigned long long)e->id);
    e->held = held;
    if (!w->unsure) e->held_durably = held;
    e->held_changed = held != e->held_durably;
    check_recipients(w, e, m);
    if (m->content_octets > CONTENT ||
        store_read_content(w->store, m, w->back, CONTENT) != (int64_t)e->octets) {
        world_wrong(w, "%llx cannot be read", (unsigned long long)e->id);
        return;
    }
    world_fill(w->content, e->content_seed, 0, e->octets);
    if (memcmp(w->content, w->back, e->octets) != 0)
        world_wrong(w, "%llx has other octets", (unsigned long long)e->id);
    if (m->envelope_length > sizeof w->envelope || !store_read_envelope(w->store, m, w->envelope))
        world_wrong(w, "%llx: no envelope", (unsigned long long)e->id);
}

static void no_problem(void *context, uint32_t segment, uint64_t offset, uint64_t id, const char *text)
{
    (void)id;
    world_wrong(context, "verify: segment %u offset %llu: %s", segment, (unsigned long long)offset, text);
}

static void check_counters(struct world *w)
{
    struct store_counters c = store_counters(w->store);
    uint64_t messages = 0, recipients = 0, cursor = 0;
    const struct message *m;
    while ((m = store_after(w->store, cursor))) {
        if (m->id <= cursor) world_wrong(w, "not in order");
        cursor = m->id;
        messages++;
        recipients += m->n_open;
        if (!world_model(w, m->id)) world_wrong(w, "%llx was never submitted", (unsigned long long)m->id);
    }
    if (c.messages != messages || c.recipients != recipients || c.queued + c.deferred + c.held != recipients)
        world_wrong(w, "counters are wrong: %llu messages, %llu recipients, %llu+%llu+%llu",
                    (unsigned long long)c.messages, (unsigned long long)c.recipients,
                    (unsigned long long)c.queued, (unsigned long long)c.deferred, (unsigned long long)c.held);
    struct verify_report report = {.problem = no_problem, .context = w};
    cursor = 0;
    while (store_verify(w->store, &cursor, &report)) {
    }
}

bool world_check(struct world *w)
{
    for (unsigned i = 0; i < w->n && !w->error[0]; i++)
        check_message(w, &w->models[i], store_find(w->store, w->models[i].id));
    if (!w->error[0]) check_counters(w);
    w->numbers.recovered++;
    return !w->error[0];
}
