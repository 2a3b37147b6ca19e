/* One host: its addresses and, where DANE is wanted and DNS is secure, its TLSA records (RFC 7672 2.2). */
#include <stdlib.h>

#include "service/connect_private.h"

static bool dane_wanted(const struct attempt *a)
{
    return (a->hop.tls == TLS_POLICY_DANE || a->hop.tls == TLS_POLICY_DANE_ONLY) && a->mx_secure;
}

static bool ask(struct attempt *a, uint16_t i, enum lookup_kind kind, struct span name)
{
    struct host *h = &a->hosts[i];
    uint8_t memory[LIMIT_DOMAIN_OCTETS + 16];
    struct buf b = buf_on(memory, sizeof memory);
    if (kind >= LOOKUP_TLSA) { /* RFC 6698 3 */
        buf_byte(&b, '_');
        buf_u64(&b, h->port);
        buf_str(&b, "._tcp.");
    }
    buf_put(&b, name);
    h->asked[kind] = !b.over && lookup_ask(a, kind, i, buf_span(&b));
    return h->asked[kind];
}

/* ---- what came of it */

static void put_place(struct buf *b, const struct host *h, const struct address *address)
{
    buf_escaped(b, h->name, LIMIT_DOMAIN_OCTETS);
    if (!address) return;
    buf_byte(b, '[');
    address_put(b, address);
    buf_str(b, "]:");
    buf_u64(b, h->port);
}

void host_note(struct attempt *a, const struct host *h, const struct address *address, const char *why,
               struct span detail)
{
    uint8_t memory[LIMIT_DOMAIN_OCTETS + 64];
    struct buf b = buf_on(memory, sizeof memory);
    put_place(&b, h, address);
    if (!address) a->hosts[h - a->hosts].why_not = why;
    attempt_note(a, buf_span(&b), why, detail);
}

void host_is_ours(struct attempt *a, uint16_t preference)
{
    a->loops = true;
    for (uint32_t i = 0; i < a->n_hosts; i++) {
        struct host *h = &a->hosts[i];
        if (h->preference < preference) continue;
        if (h->state == HOST_ASKED || h->half) a->race.pending--;
        h->state = HOST_DONE;
        h->ours = true;
        h->half = false;
    }
    for (uint32_t i = 0; i < a->race.n; i++)
        if (a->race.runners[i].preference >= preference) runner_stop(&a->runners[i]);
    race_cut(&a->race, preference);
}

static bool was_tried(const struct attempt *a, const struct address *address, uint16_t port)
{
    for (uint32_t i = 0; i < a->n_tried; i++)
        if (a->tried[i].port == port && memcmp(&a->tried[i].address, address, sizeof *address) == 0)
            return true;
    return false;
}

/* A route that names the very address is obeyed. */
static bool is_named(const struct attempt *a, const struct host *h)
{
    return a->hop.kind == NEXT_HOP_HOST && h->literal;
}

const char *host_refuses(const struct attempt *a, const struct host *h, const struct address *address)
{
    return is_named(a, h) ? NULL : reach_refused(address, a->scope);
}

bool host_address_is_ours(const struct attempt *a, const struct host *h, const struct address *address)
{
    return !is_named(a, h) && permit_is_listener(a->connect->config, address, h->port, false);
}

/* False: it is we; nothing of this host is left. */
static bool add_address(struct attempt *a, uint16_t i, const struct address *address)
{
    const struct host *h = &a->hosts[i];
    const char *refused = host_refuses(a, h, address);
    if (refused) {
        host_note(a, h, address, "not connected to: ", span_str(refused));
        return true;
    }
    if (host_address_is_ours(a, h, address)) {
        host_is_ours(a, h->preference);
        return false;
    }
    if (was_tried(a, address, h->port)) {
        host_note(a, h, address, "tried already", SPAN(""));
        a->temporary = a->started = true;
        return true;
    }
    for (uint32_t k = 0; k < a->race.n; k++)
        if (a->hosts[a->runners[k].host].port == h->port &&
            memcmp(&a->runners[k].address, address, sizeof *address) == 0)
            return true;
    uint32_t at = a->race.n;
    if (!race_add(&a->race, h->preference)) return true;
    a->runners[at] = (struct runner){.attempt = a, .address = *address, .host = i, .fd = -1};
    return true;
}

/* RFC 8305 4: the families take turns, IPv6 first; but what worked before comes before what is not known, and that before what did not. */
static void add_addresses(struct attempt *a, uint16_t i)
{
    const struct host *h = &a->hosts[i];
    const struct address *list[2 * LIMIT_MX_ADDRESSES];
    uint32_t n = 0;
    for (uint32_t k = 0; k < LIMIT_MX_ADDRESSES; k++) {
        if (k < h->n_v6) list[n++] = &h->v6[k];
        if (k < h->n_v4) list[n++] = &h->v4[k];
    }
    uint64_t now = loop_now_ms(a->connect->loop);
    for (unsigned rank = 0; rank <= 2; rank++)
        for (uint32_t k = 0; k < n; k++)
            if (connect_memory_rank(a->connect->memory, list[k], now) == rank && !add_address(a, i, list[k]))
                return;
}

/* ---- DANE */

/* RFC 7672 2.2, 3.1: usages 2 and 3 only, whole digests only; a certificate or key itself may have any length. */
static bool tlsa_usable(struct span r)
{
    if (r.n < 4 || (r.p[0] != 2 && r.p[0] != 3) || r.p[1] > 1) return false;
    return r.p[2] == 0 || (r.p[2] == 1 && r.n == 3 + 32) || (r.p[2] == 2 && r.n == 3 + 64);
}

static void keep_tlsa(struct tlsa_set *set, const struct dns_answer *d, bool usable)
{
    struct wire w = wire_on(d->records);
    struct dns_record r;
    while (dns_record_read(&w, &r)) {
        if (set->n_shown == CONNECT_TLSA || r.data.n < 4 || r.data.n > CONNECT_TLSA_OCTETS) continue;
        if (tlsa_usable(r.data) != usable) continue;
        set->octets[set->n_shown] = (uint16_t)r.data.n;
        memcpy(set->records[set->n_shown++], r.data.p, r.data.n);
    }
}

static void take_tlsa(struct host *h, const struct dns_answer *d, bool of_alias)
{
    if (d->status != DNS_OK || !d->secure || (h->tlsa && !of_alias)) return;
    struct tlsa_set *set = h->tlsa ? h->tlsa : calloc(1, sizeof *set);
    if (!set) {
        h->tlsa_failed = true; /* never less than what DNS demands */
        return;
    }
    set->n_shown = 0;
    keep_tlsa(set, d, true);
    set->n = set->n_shown;
    keep_tlsa(set, d, false); /* they have no say once one is usable */
    h->tlsa = set;
    h->tlsa_of_alias = of_alias;
    h->dane = set->n > 0 ? CONNECT_TLSA_RECORDS : CONNECT_TLSA_UNUSABLE;
}

/* False: this host must not be used now. */
static bool dane_settled(struct attempt *a, struct host *h)
{
    bool secure = dane_wanted(a) && !h->literal && !h->address_insecure;
    bool failed =
        h->alias_octets ? h->tlsa_alias_failed || (h->tlsa_failed && !h->tlsa_of_alias) : h->tlsa_failed;
    if (!secure) {
        h->dane = CONNECT_TLSA_NONE;
        h->alias_octets = 0;
        failed = false;
    }
    if (failed) { /* RFC 7672 2.1.2: whoever makes look-ups fail must not win */
        host_note(a, h, NULL, "its TLSA records could not be looked up", SPAN(""));
        a->temporary = a->dns_failed = true;
        return false;
    }
    if (a->hop.tls != TLS_POLICY_DANE_ONLY || h->dane == CONNECT_TLSA_RECORDS) return true;
    host_note(a, h, NULL,
              h->dane == CONNECT_TLSA_UNUSABLE
                  ? "its TLSA records cannot be used, and the policy is dane-only"
              : secure ? "it has no TLSA records, and the policy is dane-only"
                       : "its DNS is not secure, and the policy is dane-only",
              SPAN(""));
    a->temporary = true;
    return false;
}

/* ---- addresses */

static void finish(struct attempt *a, uint16_t i)
{
    struct host *h = &a->hosts[i];
    h->state = HOST_DONE;
    h->late_ms = 0;
    h->half = h->asked[LOOKUP_A] || h->asked[LOOKUP_AAAA];
    if (!h->half) a->race.pending--;
    if (h->n_v4 + h->n_v6 == 0) {
        if (h->address_failed)
            a->temporary = a->dns_failed = true;
        else
            host_note(a, h, NULL, "it has no address", SPAN(""));
        return;
    }
    if (!dane_settled(a, h)) {
        a->race.pending -= h->half;
        h->half = false;
    } else if (h->literal)
        (void)add_address(a, i, h->n_v4 ? &h->v4[0] : &h->v6[0]);
    else
        add_addresses(a, i);
}

/* Goes on when everything that matters is here. */
static void settle(struct attempt *a, uint16_t i)
{
    struct host *h = &a->hosts[i];
    if (h->state != HOST_ASKED || h->asked[LOOKUP_TLSA] || h->asked[LOOKUP_TLSA_ALIAS]) return;
    if (h->asked[LOOKUP_A] || h->asked[LOOKUP_AAAA]) {
        uint64_t now = loop_now_ms(a->connect->loop);
        if (h->n_v4 + h->n_v6 == 0) return;
        if (h->late_ms == 0) h->late_ms = now + LIMIT_CONNECT_FAMILY_MS;
        if (h->late_ms > now) return;
    }
    finish(a, i);
}

void host_ask(struct attempt *a, uint16_t i)
{
    struct host *h = &a->hosts[i];
    h->state = HOST_ASKED;
    if (h->literal) {
        struct address *to = address_is_v4(&h->address) ? &h->v4[h->n_v4++] : &h->v6[h->n_v6++];
        *to = h->address;
        finish(a, i);
        return;
    }
    bool asked = ask(a, i, LOOKUP_A, h->name);
    if (!ask(a, i, LOOKUP_AAAA, h->name) || !asked) {
        h->address_failed = true;
        host_note(a, h, NULL, "too many names are being looked up", SPAN(""));
    }
    if (dane_wanted(a) && !ask(a, i, LOOKUP_TLSA, h->name)) h->tlsa_failed = true;
    settle(a, i);
}

static void take_addresses(struct attempt *a, struct host *h, bool v4, const struct dns_answer *d)
{
    struct dns_record r;
    struct wire w = wire_on(d->records);
    if (d->status == DNS_FAILED || d->status == DNS_BOGUS) {
        h->address_failed = true;
        host_note(a, h, NULL,
                  d->status == DNS_BOGUS ? "DNSSEC says its addresses are bogus: "
                                         : "its addresses could not be looked up: ",
                  d->why);
        return;
    }
    h->address_insecure |= !d->secure;
    while (d->status == DNS_OK && dns_record_read(&w, &r)) {
        if (v4 && r.data.n == 4 && h->n_v4 < LIMIT_MX_ADDRESSES) {
            struct address *to = &h->v4[h->n_v4++];
            *to = (struct address){{[10] = 0xff, [11] = 0xff}};
            memcpy(to->octets + 12, r.data.p, 4);
        } else if (!v4 && r.data.n == 16 && h->n_v6 < LIMIT_MX_ADDRESSES) {
            memcpy(h->v6[h->n_v6++].octets, r.data.p, 16);
        }
    }
}

/* RFC 7672 2.2.2: where a secure alias leads to another name, TLSA records are looked for there first, then at the name itself. */
static void follow_alias(struct attempt *a, uint16_t i, const struct dns_answer *d)
{
    struct host *h = &a->hosts[i];
    if (!dane_wanted(a) || h->alias_octets || !d->secure || d->status != DNS_OK) return;
    if (span_eq_nocase(d->canonical, h->name) || d->canonical.n > LIMIT_DOMAIN_OCTETS) return;
    memcpy(h->alias, d->canonical.p, d->canonical.n);
    h->alias_octets = (uint8_t)d->canonical.n;
    if (!ask(a, i, LOOKUP_TLSA_ALIAS, d->canonical)) h->tlsa_alias_failed = true;
}

/* The other family of a host that is being tried already. */
static void take_half(struct attempt *a, const struct lookup *l, const struct dns_answer *d)
{
    struct host *h = &a->hosts[l->host];
    bool v4 = l->kind == LOOKUP_A;
    h->half = false;
    a->race.pending--;
    take_addresses(a, h, v4, d);
    a->temporary |= h->address_failed;
    if (dane_wanted(a) && !d->secure) return; /* it was decided for the family that was secure */
    for (uint32_t i = 0; i < (v4 ? h->n_v4 : h->n_v6); i++)
        if (!add_address(a, l->host, v4 ? &h->v4[i] : &h->v6[i])) return;
}

void host_answer(struct attempt *a, const struct lookup *l, const struct dns_answer *d)
{
    struct host *h = &a->hosts[l->host];
    bool failed = d->status == DNS_FAILED || d->status == DNS_BOGUS;
    h->asked[l->kind] = false;
    h->heard[l->kind] = (uint8_t)(d->status + 1);
    if (h->half && (l->kind == LOOKUP_A || l->kind == LOOKUP_AAAA)) take_half(a, l, d);
    if (h->state != HOST_ASKED) return;
    switch (l->kind) {
    case LOOKUP_A:
    case LOOKUP_AAAA:
        take_addresses(a, h, l->kind == LOOKUP_A, d);
        follow_alias(a, l->host, d);
        break;
    case LOOKUP_TLSA:
        h->tlsa_failed |= failed;
        take_tlsa(h, d, false);
        break;
    default: h->tlsa_alias_failed |= failed; take_tlsa(h, d, true);
    }
    settle(a, l->host);
}

uint64_t host_late(struct attempt *a)
{
    uint64_t next = UINT64_MAX, now = loop_now_ms(a->connect->loop);
    for (uint16_t i = 0; i < a->n_hosts; i++) {
        struct host *h = &a->hosts[i];
        if (h->state != HOST_ASKED || !h->late_ms) continue;
        if (h->late_ms <= now)
            settle(a, i);
        else if (h->late_ms < next)
            next = h->late_ms;
    }
    return next;
}
