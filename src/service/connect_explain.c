/* What an attempt would find, for people: all look-ups, every rule, no connection. Names and texts are strangers': escaped as JSON. */
#include "service/connect_private.h"
#include "system/dns_message.h"

enum {
    RECORD_SHOWN = 67,
    END_OCTETS = 2048
}; /* a digest, and what goes before it; room that the last row always has */

static void put_key(struct buf *b, const char *key)
{
    uint8_t before = b->n ? b->p[b->n - 1] : '{';
    if (before != '{' && before != '[') buf_byte(b, ',');
    buf_byte(b, '"');
    buf_str(b, key);
    buf_str(b, "\":");
}

static void put_text(struct buf *b, const char *key, struct span value)
{
    put_key(b, key);
    buf_byte(b, '"');
    buf_json(b, value, LIMIT_RESULT_TEXT_OCTETS);
    buf_byte(b, '"');
}

static void put_bool(struct buf *b, const char *key, bool value)
{
    put_key(b, key);
    buf_str(b, value ? "true" : "false");
}

static void put_number(struct buf *b, const char *key, uint64_t value)
{
    put_key(b, key);
    buf_u64(b, value);
}

/* ---- one host */

static void put_address(const struct attempt *a, const struct host *h, const struct address *address,
                        struct buf *b)
{
    uint8_t memory[64];
    struct buf text = buf_on(memory, sizeof memory);
    const char *refused = host_refuses(a, h, address);
    unsigned rank = connect_memory_rank(a->connect->memory, address, loop_now_ms(a->connect->loop));
    if (!refused && host_address_is_ours(a, h, address)) refused = "this host itself";
    address_put(&text, address);
    if (b->p[b->n - 1] != '[') buf_byte(b, ',');
    buf_byte(b, '{');
    put_text(b, "address", buf_span(&text));
    if (refused) put_text(b, "refused", span_str(refused));
    if (rank != 1) put_text(b, "lately", rank == 0 ? SPAN("answered") : SPAN("silent"));
    buf_byte(b, '}');
}

static void put_record(const struct tlsa_set *set, uint32_t i, struct buf *b)
{
    uint8_t memory[3 * 4 + 2 * RECORD_SHOWN + 8];
    struct buf text = buf_on(memory, sizeof memory);
    struct span record = span_of(set->records[i], set->octets[i]);
    for (unsigned k = 0; k < 3; k++) {
        buf_u64(&text, record.p[k]);
        buf_byte(&text, ' ');
    }
    size_t shown = record.n < RECORD_SHOWN ? record.n : RECORD_SHOWN;
    for (size_t k = 3; k < shown; k++) {
        buf_byte(&text, (uint8_t) "0123456789abcdef"[record.p[k] >> 4]);
        buf_byte(&text, (uint8_t) "0123456789abcdef"[record.p[k] & 15]);
    }
    if (shown < record.n) buf_str(&text, "...");
    if (b->p[b->n - 1] != '[') buf_byte(b, ',');
    buf_byte(b, '{');
    put_text(b, "record", buf_span(&text));
    put_bool(b, "usable", i < set->n);
    buf_byte(b, '}');
}

/* What service/outbound_tls.c would make of it. */
static const char *tls_follows(const struct attempt *a, const struct host *h)
{
    static const char may[] = "TLS where it is offered, whoever it is; else in clear";
    static const char by_records[] = "TLS with a certificate that one of its TLSA records names, or nothing";
    switch ((enum tls_policy)a->hop.tls) {
    case TLS_POLICY_NONE: return "in clear";
    case TLS_POLICY_MAY: return may;
    case TLS_POLICY_VERIFY: return "TLS with a certificate for its name, by a known authority, or nothing";
    case TLS_POLICY_DANE:
        if (h->dane == CONNECT_TLSA_NONE) return may;
        return h->dane == CONNECT_TLSA_RECORDS
                   ? by_records
                   : "TLS or nothing, whoever it is: its TLSA records cannot be used";
    case TLS_POLICY_DANE_ONLY:
        return h->dane == CONNECT_TLSA_RECORDS
                   ? by_records
                   : "nothing: the policy is dane-only, and no TLSA record can be used";
    default: return "TLS or nothing, whoever it is";
    }
}

static bool is_used(const struct attempt *a, uint32_t host)
{
    for (uint32_t i = 0; i < a->race.n; i++)
        if (a->runners[i].host == host && a->race.runners[i].state == RACE_WAITING) return true;
    return false;
}

static void put_why_not(const struct host *h, struct buf *b)
{
    struct span why = span_str(h->ours                  ? "this host itself, or no better than it"
                               : h->why_not             ? h->why_not
                               : h->state != HOST_DONE  ? "its look-ups did not end"
                               : h->n_v4 + h->n_v6 == 0 ? "it has no address"
                                                        : "none of its addresses is used");
    while (why.n &&
           (why.p[why.n - 1] == ' ' || why.p[why.n - 1] == ':')) /* what was said in detail is in the text */
        why.n--;
    put_text(b, "why_not", why);
}

static void put_lookups(const struct attempt *a, const struct host *h, struct buf *b)
{
    static const char *const keys[LOOKUP_KIND_COUNT] = {[LOOKUP_A] = "a",
                                                        [LOOKUP_AAAA] = "aaaa",
                                                        [LOOKUP_TLSA] = "tlsa",
                                                        [LOOKUP_TLSA_ALIAS] = "tlsa_of_alias"};
    static const char *const names[DNS_STATUS_COUNT] = {"ok", "no-name", "no-data", "failed", "bogus"};
    bool heard = false;
    for (unsigned i = LOOKUP_A; i < LOOKUP_KIND_COUNT; i++) {
        if (h->heard[i]) put_text(b, keys[i], span_str(names[h->heard[i] - 1]));
        heard |= h->heard[i] > 0;
    }
    if (heard) put_bool(b, "secure", a->mx_secure && !h->address_insecure && !h->address_failed);
}

static void put_host(const struct attempt *a, uint32_t i, struct buf *b)
{
    const struct host *h = &a->hosts[i];
    bool used = is_used(a, i);
    buf_byte(b, '{');
    put_text(b, a->hop.kind == NEXT_HOP_UNIX ? "socket" : "host",
             a->hop.kind == NEXT_HOP_UNIX ? a->hop.name : h->name);
    if (a->hosts_by == HOSTS_MX) put_number(b, "preference", h->preference);
    if (h->port) put_number(b, "port", h->port);
    put_bool(b, "used", used);
    if (!used) put_why_not(h, b);
    put_lookups(a, h, b);
    put_key(b, "addresses");
    buf_byte(b, '[');
    for (uint32_t k = 0; k < h->n_v6; k++)
        put_address(a, h, &h->v6[k], b);
    for (uint32_t k = 0; k < h->n_v4; k++)
        put_address(a, h, &h->v4[k], b);
    buf_byte(b, ']');
    if (h->alias_octets) put_text(b, "alias", span_of(h->alias, h->alias_octets));
    put_key(b, "tlsa_records");
    buf_byte(b, '[');
    for (uint32_t k = 0; h->dane != CONNECT_TLSA_NONE && k < h->tlsa->n_shown; k++)
        put_record(h->tlsa, k, b);
    buf_byte(b, ']');
    if (used) put_text(b, "tls", span_str(tls_follows(a, h)));
    buf_str(b, "}\n");
}

/* ---- the whole */

static void put_outcome(struct buf *b, enum connect_status status, const char *enhanced, struct span text)
{
    static const char *const outcomes[CONNECT_STATUS_COUNT] = {"tried", "deferred", "failed"};
    put_text(b, "outcome", span_str(outcomes[status]));
    put_text(b, "status", span_str(enhanced));
    put_text(b, "text", text);
}

void attempt_explain_end(struct attempt *a, enum connect_status status, const char *enhanced,
                         struct span text)
{
    static const char *const by[] = {"none", "mx", "domain", "literal", "route"};
    static uint8_t memory[CONNECT_ROWS_OCTETS];
    struct connect *c = a->connect;
    struct buf b = buf_on(memory, sizeof memory - END_OCTETS);
    uint64_t now = loop_now_ms(c->loop);
    for (uint32_t i = 0; i < a->n_hosts && !b.over; i++) {
        size_t mark = b.n;
        put_host(a, i, &b);
        if (b.over) b.n = mark;
    }
    b.over = false;
    b.max = sizeof memory;
    buf_byte(&b, '{');
    put_text(&b, "hosts_by", span_str(by[a->hosts_by]));
    put_bool(&b, "hosts_secure", a->mx_secure);
    put_number(&b, "hosts", a->n_hosts);
    put_outcome(&b, status, enhanced, text);
    put_number(&b, "dns_ms", now > a->begun_ms ? now - a->begun_ms : 0);
    buf_str(&b, "}\n");
    c->hooks.explained(c->context, a->asker, a->tag, buf_span(&b));
}

void attempt_explain_refused(struct connect *c, const void *asker, uint64_t tag,
                             const struct connect_answer *no)
{
    uint8_t memory[END_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    buf_byte(&b, '{');
    put_outcome(&b, no->status, no->enhanced, no->text);
    buf_str(&b, "}\n");
    c->hooks.explained(c->context, asker, tag, buf_span(&b));
}

static bool something_is_left(const struct attempt *a)
{
    for (uint32_t i = 0; i < a->race.n; i++)
        if (a->race.runners[i].state == RACE_WAITING) return true;
    return false;
}

void attempt_explain(struct attempt *a)
{
    for (; a->hop.kind != NEXT_HOP_UNIX && a->next_host < a->n_hosts; a->next_host++) {
        const struct host *h = &a->hosts[a->next_host];
        if (h->ours) continue;
        a->race.pending++;
        host_ask(a, (uint16_t)a->next_host);
    }
    uint64_t late = host_late(a);
    if (a->race.pending)
        attempt_look_again(a, late);
    else if (something_is_left(a))
        attempt_end(a, CONNECT_OPEN, "", span_of(a->text, a->text_n));
    else
        attempt_end_in_vain(a);
}
