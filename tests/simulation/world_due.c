/* What is due, and what becomes of it: attempts, expansions, waiting for a next hop, the word to the sender that it is late. */
#include "world_private.h"

#include <stdio.h>

void world_left(void *context, uint32_t ticket)
{
    struct world *w = context;
    for (unsigned k = 0; k < w->n_ready; k++)
        if (w->ready[k].ticket == ticket) {
            w->ready[k] = w->ready[--w->n_ready];
            return;
        }
    world_wrong(w, "ticket %u left and was not there", ticket);
}

bool world_ready(const struct world *w, uint64_t id)
{
    for (unsigned k = 0; k < w->n_ready; k++)
        if (w->ready[k].id == id) return true;
    return false;
}

static void expand(struct world *w, struct model *e, uint32_t i)
{
    uint8_t memory[512], one[128];
    struct buf b = buf_on(memory, sizeof memory);
    uint32_t count = 1 + (uint32_t)world_dice(w, 3);
    for (uint32_t k = 0; k < count; k++) {
        struct buf path = buf_on(one, sizeof one);
        world_put_path(&path, e->id, e->n + k);
        struct derived d = {(e->n + k) % 5 != 4, buf_span(&path)};
        derived_put(&b, &d);
    }
    if (!store_expand(w->store, e->id, i, world_dice(w, 2) ? SPAN("owner@example.org") : (struct span){0},
                      buf_span(&b), w->now_ms)) {
        store_put_back(w->store, e->id, i, w->now_ms + 1000);
        return;
    }
    e->r[i].now = RECIPIENT_EXPANDED;
    for (uint32_t k = 0; k < count; k++)
        e->r[e->n + k] = (struct expected){.now = RECIPIENT_QUEUED, .durable = RECIPIENT_VOID};
    e->n += count;
    w->numbers.expanded++;
}

static void attempt(struct world *w, struct model *e, uint32_t i)
{
    static const uint8_t outcomes[] = {RECIPIENT_DELIVERED, RECIPIENT_DELIVERED, RECIPIENT_DELIVERED,
                                       RECIPIENT_DEFERRED,  RECIPIENT_BOUNCED,   RECIPIENT_REMOVED};
    struct attempt a = {.state = outcomes[world_dice(w, sizeof outcomes)],
                        .enhanced = SPAN("2.0.0"),
                        .text = SPAN("as it was decided by the dice"),
                        .trace = {.host = SPAN("mx.example[192.0.2.1]:25"), .code = 250, .session_ms = 7}};
    if (a.state == RECIPIENT_REMOVED) a.kind = EVENT_OPERATOR;
    const struct message *m = store_find(w->store, e->id);
    if (w->now_ms >= store_expires_ms(w->store, m)) a.state = RECIPIENT_EXPIRED;
    if (!store_attempt(w->store, e->id, i, &a, w->now_ms)) {
        store_put_back(w->store, e->id, i, w->now_ms + 1000);
        return;
    }
    if (w->o.talk) printf("  %llx/%u: %s\n", (unsigned long long)e->id, i, recipient_state_name(a.state));
    e->r[i].now = a.state;
    if (a.state != RECIPIENT_EXPIRED && a.kind == EVENT_ATTEMPT) e->r[i].attempts++;
    e->gone = true;
    for (uint32_t k = 0; k < e->n; k++)
        if (!recipient_final(e->r[k].now)) e->gone = false;
    if (e->gone) w->numbers.finished++;
    if ((store_find(w->store, e->id) == NULL) != e->gone)
        world_wrong(w, "%llx: finished or not?", (unsigned long long)e->id);
}

static void tell(struct world *w, struct model *e, uint32_t i)
{
    if (e->r[i].told || e->r[i].telling)
        world_wrong(w, "%llx/%u: its sender would be told again", (unsigned long long)e->id, i);
    e->r[i].telling = true;
    if (world_dice(w, 4) && store_delay_told(w->store, e->id, i, w->now_ms)) e->r[i].told = true;
}

static void wait_ready(struct world *w, const struct model *e, uint32_t i)
{
    w->ready[w->n_ready].id = e->id;
    w->ready[w->n_ready].recipient = i;
    w->ready[w->n_ready++].ticket = ++w->last_ticket;
    store_ready(w->store, e->id, i, w->last_ticket, w->now_ms);
}

static void take_ready(struct world *w)
{
    if (w->n_ready == 0) return;
    unsigned k = (unsigned)world_dice(w, w->n_ready);
    struct model *e = world_model(w, w->ready[k].id);
    uint32_t i = w->ready[k].recipient;
    w->ready[k] = w->ready[--w->n_ready];
    if (!e || !store_taken(w->store, e->id, i)) {
        world_wrong(w, "what is ready cannot be taken");
        return;
    }
    e->r[i].telling = false;
    attempt(w, e, i);
}

void world_deliver(struct world *w)
{
    uint64_t id;
    uint32_t i;
    enum store_due why;
    if (world_dice(w, 2)) take_ready(w);
    for (uint64_t k = world_dice(w, 6); k > 0 && store_due(w->store, STORE_ANY, w->now_ms, &id, &i, &why);
         k--) {
        struct model *e = world_model(w, id);
        if (!e || i >= e->n || recipient_final(e->r[i].now) || e->held ||
            (e->answer != QUEUED && e->answer != MAYBE)) {
            world_wrong(w, "%llx/%u is due and should not be", (unsigned long long)id, i);
            return;
        }
        if (why == DUE_DELAY) {
            tell(w, e, i);
            continue;
        }
        e->r[i].telling = false;
        if (why == DUE_EXPIRED && w->now_ms < store_expires_ms(w->store, store_find(w->store, id)))
            world_wrong(w, "%llx/%u expires too early", (unsigned long long)id, i);
        if (why == DUE_ATTEMPT && w->n_ready < READY && world_dice(w, 4) == 0)
            wait_ready(w, e, i);
        else if (why == DUE_ATTEMPT && world_dice(w, 8) == 0 && e->n + 3 <= RECIPIENTS)
            expand(w, e, i);
        else
            attempt(w, e, i);
    }
}

void world_operate(struct world *w, struct model *e)
{
    bool all = true;
    if (!e) return;
    for (uint32_t i = 0; i < e->n; i++) {
        if (recipient_final(e->r[i].now)) continue;
        if (!store_requeue(w->store, e->id, i, SPAN("by the dice"), w->now_ms)) {
            all = false; /* no room: nothing changed */
            continue;
        }
        bool told = e->r[i].told, durably = e->r[i].told_durably;
        e->r[i] = (struct expected){.now = RECIPIENT_QUEUED,
                                    .durable = e->r[i].durable,
                                    .durable_attempts = e->r[i].durable_attempts,
                                    .most = e->r[i].attempts > e->r[i].most ? e->r[i].attempts : e->r[i].most,
                                    .requeued = true,
                                    .told = told,
                                    .told_durably = durably};
    }
    if (all && world_ready(w, e->id))
        world_wrong(w, "%llx was requeued and is ready", (unsigned long long)e->id);
}
