/* The From field of who has logged in: it names the same addresses as the reverse-path may, unless any-sender was granted. Sender is looked at
 * too (RFC 5322 3.6.2). The header section is read before the first chunk leaves, at the latest when the content ends. */
#include "mail/header.h"
#include "mail/mailbox_list.h"
#include "service/inbound_private.h"
#include "service/names.h"

/* Puts the addresses of one field behind those that are there, a NUL behind each; the account's own needs no question. False: they cannot be
 * read, or are too many. */
static bool keep_addresses(struct inbound_principal *p, struct span value)
{
    struct span own = span_of(p->name, p->name_n), address;
    struct buf kept = {.p = (uint8_t *)p->from, .n = p->from_n, .max = sizeof p->from};
    for (;;) {
        uint8_t memory[LIMIT_LOCAL_PART_OCTETS + LIMIT_DOMAIN_OCTETS + 8];
        struct buf key = buf_on(memory, sizeof memory);
        switch (mailbox_list_next(&value, &address)) {
        case MAILBOX_LIST_END: p->from_n = (uint16_t)kept.n; return !kept.over;
        case MAILBOX_LIST_BROKEN: return false;
        case MAILBOX_LIST_ADDRESS: break;
        }
        if (!names_canonical(address, &key)) return false;
        if (span_eq(buf_span(&key), own)) continue;
        buf_put(&kept, buf_span(&key));
        buf_byte(&kept, 0);
    }
}

static bool keep_fields(struct inbound_principal *p, struct span section, struct span name)
{
    for (struct span value; (value = header_find(section, name)).p;) {
        if (!keep_addresses(p, value)) return false;
        section = span_skip(section, (size_t)(value.p + value.n - section.p));
    }
    return true;
}

void inbound_from_read(struct session *s, bool ended)
{
    static uint8_t memory[LIMIT_FROM_SECTION_OCTETS];
    struct inbound_principal *p = s->principal;
    const struct transaction *t = s->transaction;
    struct buf b = buf_on(memory, sizeof memory);
    bool whole;
    if (!inbound_from_locked(s) || p->from_read) return;
    p->from_read = true;
    for (unsigned i = 0; i < t->n_content && buf_room(&b); i++) {
        struct buf block = inbound_block(s->in, &t->content[i]);
        buf_put(&b, span_head(buf_span(&block), buf_room(&b)));
    }
    struct span section = header_section(buf_span(&b), sizeof memory - 1, &whole);
    /* what ends with the octets that are here, and not with an empty line, goes on in a chunk to come */
    whole &= section.n < b.n || ended;
    p->from_bad =
        !whole || !keep_fields(p, section, SPAN("From")) || !keep_fields(p, section, SPAN("Sender"));
}

void inbound_from_begin(struct session *s)
{
    struct inbound_principal *p = s->principal;
    if (!p) return;
    p->from_read = p->from_bad = p->from_asked = false;
    p->from_n = p->from_at = 0;
}

bool inbound_from_locked(const struct session *s)
{
    const struct config_server *server = &s->in->setup.config->servers[s->server];
    return s->principal && server->from_lock && !(s->principal->rights & RIGHT_ANY_SENDER);
}

enum inbound_from inbound_from_check(struct session *s)
{
    struct inbound_principal *p = s->principal;
    if (!inbound_from_locked(s)) return INBOUND_FROM_PERMITTED;
    inbound_from_read(s, true);
    if (p->from_bad) return INBOUND_FROM_REFUSED;
    if (p->from_at == p->from_n) return INBOUND_FROM_PERMITTED;
    struct span rest = span_of(p->from + p->from_at, (size_t)(p->from_n - p->from_at));
    struct span key = span_head(rest, span_find(rest, 0));
    p->from_at = (uint16_t)(p->from_at + key.n + 1);
    p->from_asked = inbound_ask_sender(s, key);
    return p->from_asked ? INBOUND_FROM_ASKED : INBOUND_FROM_LATER;
}
