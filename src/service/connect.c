#include <stdlib.h>

#include "service/connect_private.h"

enum { STARVED_MS = 100, TEXT_RESERVE = 4 };

/* ---- the end of a question */

static void attempt_free(struct attempt *a)
{
    struct connect *c = a->connect;
    lookup_forget(a);
    for (uint32_t i = 0; i < RACE_RUNNERS; i++)
        runner_stop(&a->runners[i]);
    for (uint32_t i = 0; i < a->n_hosts; i++)
        free(a->hosts[i].tlsa);
    loop_timer_stop(c->loop, &a->timer);
    list_take(&a->place);
    c->counts.open--;
    free(a->hosts);
    free(a);
}

static uint32_t passed(uint64_t from, uint64_t to)
{
    return to > from ? (uint32_t)(to - from) : 0;
}

void attempt_end(struct attempt *a, enum connect_status status, const char *enhanced, struct span text)
{
    struct connect *c = a->connect;
    uint8_t plain[LIMIT_RESULT_TEXT_OCTETS];
    text = span_head(text, sizeof plain);
    for (size_t i = 0; i < text.n; i++) /* a path, or a domain, may be UTF-8; escaped it is already */
        plain[i] = text.p[i] < ' ' || text.p[i] > '~' ? '?' : text.p[i];
    struct connect_answer answer = {.tag = a->tag,
                                    .status = (uint8_t)status,
                                    .dns_secure = a->mx_secure,
                                    .text = span_of(plain, text.n),
                                    .dns_ms = passed(a->begun_ms, loop_now_ms(c->loop))};
    if (a->ended) return;
    a->ended = true;
    if (a->explains) {
        attempt_explain_end(a, status, enhanced, answer.text);
        return;
    }
    if (a->lost && status == CONNECT_DEFER) {
        answer.host = a->hosts[a->lost->host].name;
        answer.address = a->lost->address;
        answer.port = a->hosts[a->lost->host].port;
    }
    memcpy(answer.enhanced, enhanced, strlen(enhanced) + 1);
    if (status == CONNECT_FAIL)
        c->counts.failed++;
    else
        c->counts.deferred++;
    c->hooks.answer(c->context, a->asker, &answer, -1);
}

void attempt_open(struct attempt *a, struct runner *r)
{
    struct connect *c = a->connect;
    const struct host *h = &a->hosts[r->host];
    uint64_t started = a->race.runners[r - a->runners].started_ms;
    struct connect_answer answer = {.tag = a->tag,
                                    .status = CONNECT_OPEN,
                                    .dane = h->dane,
                                    .dns_secure = a->mx_secure,
                                    .host = h->name,
                                    .address = r->address,
                                    .port = h->port,
                                    .dns_ms = passed(a->begun_ms, started),
                                    .connect_ms = passed(started, loop_now_ms(c->loop))};
    if (h->tlsa && h->dane == CONNECT_TLSA_RECORDS) {
        if (h->tlsa_of_alias) answer.host = span_of(h->alias, h->alias_octets);
        answer.n_tlsa = h->tlsa->n;
        for (uint32_t i = 0; i < h->tlsa->n; i++)
            answer.tlsa[i] = span_of(h->tlsa->records[i], h->tlsa->octets[i]);
    }
    if (a->hop.kind == NEXT_HOP_MX && !h->literal) answer.also = a->domain; /* RFC 7672 3.2.2 */
    a->ended = true;
    c->counts.opened++;
    c->hooks.answer(c->context, a->asker, &answer, r->fd);
}

void attempt_note(struct attempt *a, struct span what, const char *why, struct span detail)
{
    struct buf b = {a->text, a->text_n, sizeof a->text - TEXT_RESERVE, false};
    if (b.n) buf_str(&b, "; ");
    buf_escaped(&b, what, LIMIT_DOMAIN_OCTETS + 64);
    buf_str(&b, ": ");
    buf_str(&b, why);
    buf_escaped(&b, detail, LIMIT_RESULT_TEXT_OCTETS);
    if (!b.over) {
        a->text_n = b.n;
        return;
    }
    if (a->text_n >= 3 && memcmp(a->text + a->text_n - 3, "...", 3) == 0) return;
    memcpy(a->text + a->text_n, " ...", TEXT_RESERVE); /* there is always room for it */
    a->text_n += TEXT_RESERVE;
}

/* What a route names is no verdict on the recipient: it is mended here, or by those who run that DNS. */
static void end_for_now(struct attempt *a, const char *enhanced, struct span text)
{
    uint8_t memory[LIMIT_RESULT_TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    buf_str(&b, "the configuration names this next hop, but ");
    size_t room = buf_room(&b);
    buf_put(&b, span_head(text, room));
    attempt_end(a, CONNECT_DEFER, enhanced, buf_span(&b));
}

void attempt_end_in_vain(struct attempt *a)
{
    bool named = a->hop.kind != NEXT_HOP_MX;
    struct span text = span_of(a->text, a->text_n);
    uint8_t memory[LIMIT_RESULT_TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    if (a->loops && !a->started && !a->temporary) { /* RFC 5321 5.1 */
        buf_str(&b, "mail for ");
        buf_put(&b, a->domain.n ? a->domain : span_head(a->hop.name, LIMIT_DOMAIN_OCTETS));
        buf_str(&b, " loops back to this host");
        if (named)
            end_for_now(a, "4.4.6", buf_span(&b));
        else
            attempt_end(a, CONNECT_FAIL, "5.4.6", buf_span(&b));
        return;
    }
    if (text.n == 0) text = SPAN("no host could be tried");
    if (!a->started && !a->temporary && named)
        end_for_now(a, "4.4.4", text);
    else if (!a->started && !a->temporary)
        attempt_end(a, CONNECT_FAIL, "5.4.4", text);
    else
        attempt_end(a, CONNECT_DEFER, a->started ? "4.4.1" : a->dns_failed ? "4.4.3" : "4.7.5", text);
}

/* ---- the way there */

static void need_host(struct attempt *a)
{
    uint16_t i = (uint16_t)a->next_host++;
    a->race.more = a->next_host < a->n_hosts;
    if (a->race.more) a->race.more_preference = a->hosts[a->next_host].preference;
    host_ask(a, i);
}

static void on_time(struct timer *t)
{
    attempt_go_on(LIST_OF(t, struct attempt, timer));
}

void attempt_look_again(struct attempt *a, uint64_t at)
{
    if (a->deadline_ms < at) at = a->deadline_ms;
    loop_timer_set(a->connect->loop, &a->timer, at, on_time);
}

static void run(struct attempt *a)
{
    uint64_t now = loop_now_ms(a->connect->loop), until, late;
    uint32_t i;
    if (now >= a->deadline_ms) {
        a->temporary = true;
        a->dns_failed = true;
        attempt_note(a, a->hop.name, "it took too long", SPAN(""));
        attempt_end_in_vain(a);
    }
    if (!a->ended && !a->hosts && !a->loops) { /* the exchangers are being asked for */
        attempt_look_again(a, UINT64_MAX);
        return;
    }
    if (!a->ended && a->explains) {
        attempt_explain(a);
        return;
    }
    late = a->ended ? 0 : host_late(a);
    uint64_t overdue = a->ended ? 0 : runner_overdue(a);
    while (!a->ended)
        switch (race_next(&a->race, now, &i, &until)) {
        case RACE_START:
            runner_start(a, i);
            if (!a->starved) break;
            a->starved = false;
            attempt_look_again(a, now + STARVED_MS);
            return;
        case RACE_NEED: need_host(a); break;
        case RACE_OVER: attempt_end_in_vain(a); break;
        case RACE_WAIT: {
            uint64_t started = now + LIMIT_CONNECT_SECONDS * 1000; /* of what was started just now */
            late = host_late(a);
            if (late < until) until = late;
            if (overdue < until) until = overdue;
            attempt_look_again(a, started < until ? started : until);
            return;
        }
        }
}

void attempt_go_on(struct attempt *a)
{
    if (!a->ended) run(a);
    if (a->ended) attempt_free(a);
}

static void begin(struct connect *c, const void *asker, const struct connect_question *q, bool permitted,
                  bool explains)
{
    struct attempt *a = c->counts.open < LIMIT_CONNECT_QUESTIONS ? calloc(1, sizeof *a) : NULL;
    c->counts.questions++;
    if (!a) {
        struct connect_answer no = {.tag = q->tag,
                                    .status = CONNECT_DEFER,
                                    .enhanced = "4.3.2",
                                    .text = SPAN("too many connections are being made")};
        c->counts.deferred++;
        if (explains)
            attempt_explain_refused(c, asker, q->tag, &no);
        else
            c->hooks.answer(c->context, asker, &no, -1);
        return;
    }
    *a = (struct attempt){.connect = c,
                          .asker = asker,
                          .tag = q->tag,
                          .hop = q->hop,
                          .begun_ms = loop_now_ms(c->loop),
                          .scope = q->hop.kind == NEXT_HOP_HOST ? REACH_SITE : REACH_WORLD,
                          .n_tried = explains ? 0 : q->n_tried,
                          .explains = explains};
    a->deadline_ms =
        a->begun_ms + (explains ? LIMIT_EXPLAIN_SECONDS : LIMIT_CONNECT_TOTAL_SECONDS) * (uint64_t)1000;
    memcpy(a->tried, q->tried, sizeof a->tried);
    memcpy(a->hop_name, q->hop.name.p, q->hop.name.n);
    a->hop.name = span_of(a->hop_name, q->hop.name.n);
    a->hop.user = span_of(NULL, 0);
    list_append(&c->attempts, &a->place);
    c->counts.open++;
    if (permitted)
        host_begin(a);
    else
        attempt_end(a, CONNECT_DEFER, "4.3.5", SPAN("no route of the configuration leads to this next hop"));
    attempt_go_on(a);
}

void connect_ask(struct connect *c, const void *asker, const struct connect_question *q)
{
    begin(c, asker, q, permit_hop(c->config, &q->hop), false);
}

/* A service that a reload took away has no path any more. */
void connect_ask_service(struct connect *c, const void *asker, const struct connect_service_question *q)
{
    _Static_assert(CONNECT_SERVICE_COUNT == 1, "Dovecot alone");
    struct span path = c->config->dovecot.socket;
    const struct connect_question question = {
        .tag = q->tag, .hop = {.kind = NEXT_HOP_UNIX, .name = path.n ? path : SPAN("/")}};
    begin(c, asker, &question, path.n > 0, false);
}

void connect_explain(struct connect *c, const void *asker, const struct connect_question *q)
{
    begin(c, asker, q, permit_hop(c->config, &q->hop), true);
}

void connect_dns_answer(struct connect *c, const struct dns_answer *d)
{
    struct lookup l;
    if (!lookup_take(c, d->tag, &l)) return;
    if (l.kind == LOOKUP_MX)
        host_mx_answer(l.attempt, d);
    else
        host_answer(l.attempt, &l, d);
    attempt_go_on(l.attempt);
}

/* ---- all of them */

struct connect *connect_create(struct loop *l, const struct config *config, const struct connect_hooks *hooks,
                               void *context, uint64_t seed)
{
    struct connect *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    *c = (struct connect){.loop = l, .config = config, .hooks = *hooks, .context = context, .seed = seed};
    list_begin(&c->attempts);
    c->memory = connect_memory_create(seed);
    if (!c->memory) connect_free(&c);
    return c;
}

void connect_free(struct connect **c)
{
    if (!*c) return;
    while (!list_empty(&(*c)->attempts))
        attempt_free(LIST_OF((*c)->attempts.next, struct attempt, place));
    connect_memory_free(&(*c)->memory);
    free((*c)->lookups);
    free(*c);
    *c = NULL;
}

void connect_config(struct connect *c, const struct config *fresh)
{
    c->config = fresh;
}

void connect_forget(struct connect *c, const void *asker)
{
    for (struct list *l = c->attempts.next, *next; l != &c->attempts; l = next) {
        struct attempt *a = LIST_OF(l, struct attempt, place);
        next = l->next;
        if (a->asker == asker) attempt_free(a);
    }
}

struct connect_counts connect_count(const struct connect *c)
{
    struct connect_counts n = c->counts;
    n.lookups = c->open_lookups;
    return n;
}
