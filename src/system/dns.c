#include "system/dns.h"

#include <stdlib.h>
#include <unbound-event.h>
#include <unbound.h>

#include "base/list.h"
#include "system/dns_packet.h"
#include "system/dns_private.h"

enum { SECURE_BOGUS = 1, SECURE_PROVEN = 2 }; /* what libunbound's callback says */

struct dns_open {      /* one question */
    struct list place; /* in `waiting` or `asked` */
    struct dns *dns;
    struct timer timer;
    struct dns_question question; /* its name is in `name` */
    char name[LIMIT_DOMAIN_OCTETS + 1];
    void *asker;
    dns_answer_fn *fn; /* null: it was answered (time), or its asker left; libunbound still works on it */
};

struct dns {
    struct loop *loop;
    struct ub_event_base *base;
    struct ub_ctx *context;
    struct list waiting, asked;
    unsigned n, n_asked;
    bool asking;       /* inside ub_resolve_event */
    bool due;          /* soon is set */
    struct timer soon; /* questions are handed on when dns_ask returned, all of a turn at once */
    struct dns_packet_memory memory;
};

/* ---- answers */

static void answer(struct dns_open *o, struct dns_answer *a)
{
    dns_answer_fn *fn = o->fn;
    o->fn = NULL;
    a->tag = o->question.tag;
    if (fn) fn(o->asker, a);
}

static void answer_failed(struct dns_open *o, uint8_t status, const char *why)
{
    uint8_t memory[4 * LIMIT_RESULT_TEXT_OCTETS + 8];
    struct buf b = buf_on(memory, sizeof memory);
    buf_escaped(&b, span_str(why), LIMIT_RESULT_TEXT_OCTETS);
    for (size_t i = 0; i < b.n; i++) /* well-formed UTF-8 passed */
        if (memory[i] > '~') memory[i] = '?';
    answer(o,
           &(struct dns_answer){.status = status, .why = span_head(buf_span(&b), LIMIT_RESULT_TEXT_OCTETS)});
}

static void question_free(struct dns_open *o)
{
    loop_timer_stop(o->dns->loop, &o->timer);
    list_take(&o->place);
    o->dns->n--;
    free(o);
}

static void ask_next(struct dns *d);

static void on_resolved(void *context, int rcode, void *packet, int octets, int secure, char *why,
                        int limited)
{
    struct dns_open *o = context;
    struct dns *d = o->dns;
    struct dns_answer a;
    (void)limited;
    d->n_asked--;
    if (!o->fn) {
        /* nobody waits any more */
    } else if (secure == SECURE_BOGUS) {
        answer_failed(o, DNS_BOGUS, why ? why : "validation failed");
    } else if (rcode != 0 || !packet || octets <= 0) {
        answer_failed(o, DNS_FAILED, rcode == 2 ? "SERVFAIL" : "the question could not be resolved");
    } else {
        dns_packet_answer(span_of(packet, (size_t)octets), &o->question, &d->memory, &a);
        a.secure = secure == SECURE_PROVEN && a.status != DNS_FAILED;
        answer(o, &a);
    }
    question_free(o);
    if (!d->asking) ask_next(d);
}

static void on_late(struct timer *t)
{
    struct dns_open *o = LIST_OF(t, struct dns_open, timer);
    answer_failed(o, DNS_FAILED, "no answer in time");
}

/* ---- questions */

static void on_soon(struct timer *t)
{
    struct dns *d = LIST_OF(t, struct dns, soon);
    d->due = false;
    ask_next(d);
}

/* Hands questions on while libunbound has room for them. */
static void ask_next(struct dns *d)
{
    d->asking = true;
    while (d->n_asked < LIMIT_DNS_QUESTIONS_ASKED && !list_empty(&d->waiting)) {
        struct dns_open *o = LIST_OF(d->waiting.next, struct dns_open, place);
        list_take(&o->place);
        list_append(&d->asked, &o->place);
        if (!o->fn) { /* it was answered while it waited */
            question_free(o);
            continue;
        }
        d->n_asked++;
        if (ub_resolve_event(d->context, o->name, o->question.type, 1, o, on_resolved, NULL) == 0) continue;
        d->n_asked--;
        answer_failed(o, DNS_FAILED, "the question could not be asked");
        question_free(o);
    }
    d->asking = false;
}

bool dns_ask(struct dns *d, const struct dns_question *q, void *asker, dns_answer_fn *fn)
{
    struct dns_open *o = d->n < LIMIT_DNS_QUESTIONS ? calloc(1, sizeof *o) : NULL;
    if (!o || q->name.n >= sizeof o->name) {
        free(o);
        return false;
    }
    memcpy(o->name, q->name.p, q->name.n);
    o->dns = d;
    o->question = *q;
    o->question.name = span_of(o->name, q->name.n);
    o->asker = asker;
    o->fn = fn;
    d->n++;
    list_append(&d->waiting, &o->place);
    loop_timer_set(d->loop, &o->timer, loop_now_ms(d->loop) + LIMIT_DNS_SECONDS * 1000, on_late);
    if (!d->due) loop_timer_set(d->loop, &d->soon, loop_now_ms(d->loop), on_soon);
    d->due = true;
    return true;
}

void dns_move(struct dns *from, struct dns *to)
{
    struct list *heads[] = {&from->waiting, &from->asked};
    for (unsigned i = 0; i < 2; i++)
        for (struct list *l = heads[i]->next; l != heads[i]; l = l->next) {
            struct dns_open *o = LIST_OF(l, struct dns_open, place);
            if (!o->fn) continue;
            loop_timer_stop(from->loop, &o->timer);
            if (dns_ask(to, &o->question, o->asker, o->fn))
                o->fn = NULL;
            else
                answer_failed(o, DNS_FAILED, "too many questions are open");
        }
}

void dns_forget(struct dns *d, const void *asker)
{
    struct list *heads[] = {&d->waiting, &d->asked};
    for (unsigned i = 0; i < 2; i++)
        for (struct list *l = heads[i]->next; l != heads[i]; l = l->next) {
            struct dns_open *o = LIST_OF(l, struct dns_open, place);
            if (o->asker != asker) continue;
            loop_timer_stop(d->loop, &o->timer);
            o->fn = NULL;
        }
}

unsigned dns_open(const struct dns *d)
{
    return d->n;
}

/* ---- beginning and end */

static bool set_options(struct ub_ctx *c, bool forwards)
{
    static const struct {
        const char *name, *value;
        bool forwards; /* only where others resolve for us */
    } options[] = {
        {"verbosity:", "0", false},
        {"outgoing-range:", "2048", false},         /* sockets at once; more questions wait for one */
        {"num-queries-per-thread:", "8192", false}, /* above LIMIT_DNS_QUESTIONS_ASKED */
        {"outgoing-num-tcp:", "64", false},
        {"msg-cache-size:", "16m", false},
        {"rrset-cache-size:", "32m", false},
        {"key-cache-size:", "4m", false},
        {"cache-max-negative-ttl:", "900", false},
        {"do-not-query-localhost:", "no", true},
        {"unblock-lan-zones:", "yes", true},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        union { /* libunbound takes and copies "char *" without const */
            const char *in;
            char *out;
        } name = {.in = options[i].name}, value = {.in = options[i].value};
        if ((forwards || !options[i].forwards) && ub_ctx_set_option(c, name.out, value.out) != 0)
            return false;
    }
    return true;
}

/* Lines without comments and blank ones; libunbound judges the rest when it begins. */
static bool add_anchors(struct ub_ctx *c, struct span text)
{
    char line[4096];
    while (text.n > 0) {
        size_t end = span_find(text, '\n');
        struct span s = span_head(text, end);
        text = span_skip(text, end == SPAN_NPOS ? text.n : end + 1);
        s = span_head(s, span_find(s, ';'));
        while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
            s = span_skip(s, 1);
        while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
            s.n--;
        if (s.n == 0) continue;
        if (s.n >= sizeof line || memchr(s.p, 0, s.n)) return false;
        memcpy(line, s.p, s.n);
        line[s.n] = 0;
        if (ub_ctx_add_ta(c, line) != 0) return false;
    }
    return true;
}

static void on_warm(void *context, int rcode, void *packet, int octets, int secure, char *why, int limited)
{
    bool *done = context;
    (void)rcode, (void)packet, (void)octets, (void)secure, (void)why, (void)limited;
    *done = true;
}

/* Makes libunbound read its options and build all it works with, by a question that it answers out of its own knowledge. */
static bool begin(struct ub_ctx *c, bool forwards)
{
    /* RFC 6761 6.2, RFC 8375: names that are nobody's in the world may be somebody's at the servers we were given */
    static const char *const local[] = {"test.", "home.arpa."};
    for (size_t i = 0; forwards && i < sizeof local / sizeof local[0]; i++)
        if (ub_ctx_zone_remove(c, local[i]) != 0) return false;
    bool done = false;
    return ub_resolve_event(c, "localhost", DNS_A, 1, &done, on_warm, NULL) == 0 && done;
}

static const char *prepare(struct dns *d, const struct dns_conf *c)
{
    d->base = dns_event_base_create(d->loop);
    d->context = d->base ? ub_ctx_create_ub_event(d->base) : NULL;
    if (!d->context) return "no memory for libunbound";
    ub_ctx_debugout(d->context, NULL); /* it would write to standard error, which is our log */
    if (!set_options(d->context, c->n_servers > 0)) return "libunbound does not take its options";
    for (unsigned i = 0; i < c->n_servers; i++)
        if (ub_ctx_set_fwd(d->context, c->servers[i]) != 0)
            return "the address of a resolver is not understood";
    if (!add_anchors(d->context, c->anchors)) return "a line of the trust anchor file is too long";
    if (!begin(d->context, c->n_servers > 0))
        return "libunbound cannot begin: is the trust anchor file good?";
    return NULL;
}

struct dns *dns_create(struct loop *l, const struct dns_conf *c, const char **error)
{
    struct dns *d = calloc(1, sizeof *d);
    *error = "no memory";
    if (!d) return NULL;
    d->loop = l;
    list_begin(&d->waiting);
    list_begin(&d->asked);
    *error = prepare(d, c);
    if (*error) dns_free(&d);
    return d;
}

void dns_free(struct dns **dns)
{
    struct dns *d = *dns;
    *dns = NULL;
    if (!d) return;
    struct list *heads[] = {&d->waiting, &d->asked};
    for (unsigned i = 0; i < 2; i++)
        for (struct list *l = heads[i]->next; l != heads[i]; l = l->next)
            LIST_OF(l, struct dns_open, place)->fn = NULL;
    d->asking = true;                          /* nothing is asked any more */
    if (d->context) ub_ctx_delete(d->context); /* may call on_resolved for what it works on */
    while (!list_empty(&d->waiting))
        question_free(LIST_OF(d->waiting.next, struct dns_open, place));
    while (!list_empty(&d->asked))
        question_free(LIST_OF(d->asked.next, struct dns_open, place));
    loop_timer_stop(d->loop, &d->soon);
    dns_event_base_free(&d->base);
    free(d);
}
