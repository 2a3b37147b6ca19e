/* The hosts of a next hop: the exchangers of a domain (RFC 5321 5.1), or those that a route names. */
#include <stdlib.h>

#include "base/idn.h"
#include "policy/exchangers.h"
#include "service/connect_private.h"

enum { SMTP_PORT = 25, OURS_MAX = LIMIT_SERVERS + 1 };

static bool hosts_make(struct attempt *a, uint32_t n)
{
    a->hosts = calloc(n, sizeof *a->hosts);
    if (!a->hosts) attempt_end(a, CONNECT_DEFER, "4.3.2", SPAN("no memory to look for the next hop"));
    return a->hosts != NULL;
}

static struct host *host_add(struct attempt *a, struct span name, uint16_t preference, uint16_t port)
{
    struct host *h = &a->hosts[a->n_hosts];
    if (name.n > sizeof h->text) return NULL;
    a->n_hosts++;
    memcpy(h->text, name.p, name.n);
    h->name = span_of(h->text, name.n);
    h->preference = preference;
    h->port = port;
    return h;
}

static void race_begin(struct attempt *a)
{
    a->race.more = a->n_hosts > 0;
    a->race.more_preference = a->n_hosts ? a->hosts[0].preference : 0;
}

/* ---- named by a route */

/* "localhost" is a name of the same kind: RFC 6761 6.3 says what it means, no DNS does. */
static void hosts_of_route(struct attempt *a)
{
    struct span names = a->hop.name, name;
    uint16_t port;
    if (!hosts_make(a, LIMIT_MX_HOSTS)) return;
    a->mx_secure = true; /* the administrator says so */
    a->hosts_by = HOSTS_ROUTE;
    while (names.n > 0 && a->n_hosts + 1 < LIMIT_MX_HOSTS && next_hop_take_host(&names, &name, &port)) {
        struct host *h = host_add(a, name, (uint16_t)a->n_hosts, port);
        if (!h) break;
        h->literal = address_parse(name, &h->address);
        if (!span_eq(name, SPAN("localhost"))) continue;
        h->literal = address_parse(SPAN("127.0.0.1"), &h->address);
        struct host *v6 = host_add(a, name, h->preference, port);
        if (v6) v6->literal = address_parse(SPAN("::1"), &v6->address);
    }
    race_begin(a);
}

/* [192.0.2.1] (RFC 5321 4.1.3): an address that a sender wrote, so that it is judged like one of DNS. */
static bool hosts_of_literal(struct attempt *a, struct span name)
{
    struct address address;
    if (name.n < 3 || name.p[0] != '[') return false;
    struct span inside = span_of(name.p + 1, name.n - 2);
    if (span_starts_nocase(inside, SPAN("ipv6:"))) inside = span_skip(inside, 5);
    if (!address_parse(inside, &address) || !hosts_make(a, 1)) return false;
    struct host *h = host_add(a, inside, 0, SMTP_PORT);
    if (!h) return false;
    h->literal = true;
    h->address = address;
    a->hosts_by = HOSTS_LITERAL;
    race_begin(a);
    return true;
}

static void host_of_socket(struct attempt *a)
{
    if (!hosts_make(a, 1)) return;
    a->mx_secure = true;
    a->hosts_by = HOSTS_ROUTE;
    if (host_add(a, SPAN(""), 0, 0) && race_add(&a->race, 0))
        a->runners[0] = (struct runner){.attempt = a, .fd = -1};
}

/* A U-label is looked up as its A-label (RFC 5891 5, RFC 6531 3.2 leaves that to us). */
static void find_domain(struct attempt *a)
{
    struct buf b = buf_on(a->domain_text, sizeof a->domain_text);
    if (idn_put_ascii(&b, a->hop.name) && !b.over && dns_name_valid(buf_span(&b))) a->domain = buf_span(&b);
}

void host_begin(struct attempt *a)
{
    switch (a->hop.kind) {
    case NEXT_HOP_HOST: hosts_of_route(a); break;
    case NEXT_HOP_UNIX: host_of_socket(a); break;
    default:
        if (hosts_of_literal(a, a->hop.name) || a->ended) break;
        find_domain(a);
        if (a->domain.n == 0)
            attempt_end(a, CONNECT_FAIL, "5.1.2", SPAN("the domain is no name that DNS could know"));
        else if (!lookup_ask(a, LOOKUP_MX, 0, a->domain))
            attempt_end(a, CONNECT_DEFER, "4.3.2", SPAN("too many names are being looked up"));
    }
}

/* ---- by DNS */

/* Our own names: best if it is we, mail would come back (RFC 5321 5.1). */
static uint32_t our_names(const struct config *c, struct span *ours)
{
    uint32_t n = 0;
    ours[n++] = c->hostname;
    for (uint32_t i = 0; i < c->n_servers && n < OURS_MAX; i++)
        ours[n++] = c->servers[i].hostname;
    return n;
}

static void end_with_domain(struct attempt *a, enum connect_status status, const char *enhanced,
                            const char *before, const char *behind, struct span why)
{
    uint8_t memory[LIMIT_RESULT_TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    buf_str(&b, before);
    buf_put(&b, a->domain);
    buf_str(&b, behind);
    size_t room = buf_room(&b);
    buf_put(&b, span_head(why, room));
    attempt_end(a, status, enhanced, buf_span(&b));
}

static void hosts_of_exchangers(struct attempt *a, const struct dns_answer *d)
{
    struct exchanger list[LIMIT_DNS_RECORDS];
    struct dns_record r;
    struct wire w = wire_on(d->records);
    struct span ours[OURS_MAX];
    uint32_t n = 0;
    bool null = false;
    while (n < LIMIT_DNS_RECORDS && dns_record_read(&w, &r)) {
        null |= r.data.n == 0;
        if (dns_name_valid(r.data)) list[n++] = (struct exchanger){r.data, r.preference};
    }
    if (n == 0 && null) { /* RFC 7505 3 */
        end_with_domain(a, CONNECT_FAIL, "5.1.10", "", " takes no mail (null MX)", SPAN(""));
        return;
    }
    exchangers_order(list, n, a->connect->seed ^ a->tag ^ loop_now_ms(a->connect->loop));
    uint32_t left = exchangers_better(list, n, ours, our_names(a->connect->config, ours));
    a->loops = left < n;
    uint32_t made = a->explains ? n : left; /* for people, those that are left out, too */
    if (made > LIMIT_MX_HOSTS) made = LIMIT_MX_HOSTS;
    if (made > 0 && !hosts_make(a, made)) return;
    for (uint32_t i = 0; i < made; i++) {
        struct host *h = host_add(a, list[i].name, list[i].preference, SMTP_PORT);
        if (!h) break;
        h->ours = i >= left;
    }
    a->hosts_by = HOSTS_MX;
    race_begin(a);
}

void host_mx_answer(struct attempt *a, const struct dns_answer *d)
{
    a->mx_secure = d->secure;
    switch (d->status) {
    case DNS_OK: hosts_of_exchangers(a, d); break;
    case DNS_NO_DATA: /* RFC 5321 5.1: the domain itself */
        a->hosts_by = HOSTS_DOMAIN;
        if (!hosts_make(a, 1) || !host_add(a, a->domain, 0, SMTP_PORT)) break;
        race_begin(a);
        break;
    case DNS_NO_NAME: end_with_domain(a, CONNECT_FAIL, "5.1.2", "there is no domain ", "", SPAN("")); break;
    default:
        end_with_domain(
            a, CONNECT_DEFER, "4.4.3", "the mail exchangers of ",
            d->status == DNS_BOGUS ? " cannot be trusted (DNSSEC): " : " could not be looked up: ", d->why);
    }
}
