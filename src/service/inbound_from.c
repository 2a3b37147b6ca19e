/* The From field of who has logged in: it names the same addresses as the reverse-path may, unless any-sender was granted. That of a
 * device that has not (profile legacy-device) likewise; its addresses are in the configuration, so that nobody is asked for them.
 * Sender is looked at too (RFC 5322 3.6.2). The header section is read before the first chunk leaves, at the latest when the content
 * ends. It is refused where it is more than fields: whoever reads the message later may find another From in what we do not
 * understand. Resent-From and Resent-Sender are not looked at: those of others who sent it on before stay in a message (3.6.6), and
 * none of them says who wrote it. */
#include "mail/header.h"
#include "mail/mailbox_list.h"
#include "service/inbound_private.h"
#include "service/names.h"

/* Puts one behind those that the directory is asked for, a NUL behind it; the account's own needs no question. False: there are too many. */
static bool keep(struct inbound_principal *p, struct span key)
{
    struct buf kept = {.p = (uint8_t *)p->from, .n = p->from_n, .max = sizeof p->from};
    if (span_eq(key, span_of(p->name, p->name_n))) return true;
    buf_put(&kept, key);
    buf_byte(&kept, 0);
    p->from_n = (uint16_t)kept.n;
    return !kept.over;
}

/* The addresses of one field. False: they cannot be read, are not permitted, or are too many to ask for. */
static bool addresses(const struct session *s, struct span value)
{
    const struct config_server *server = &s->in->setup.config->servers[s->server];
    struct span address;
    for (;;) {
        uint8_t memory[LIMIT_LOCAL_PART_OCTETS + LIMIT_DOMAIN_OCTETS + 8];
        struct buf key = buf_on(memory, sizeof memory);
        switch (mailbox_list_next(&value, &address)) {
        case MAILBOX_LIST_END: return true;
        case MAILBOX_LIST_BROKEN: return false;
        case MAILBOX_LIST_ADDRESS: break;
        }
        if (!names_canonical(address, &key)) return false;
        if (!(s->principal ? keep(s->principal, buf_span(&key))
                           : config_sender_listed(server, &s->client, buf_span(&key))))
            return false;
    }
}

static enum from_look look_at(const struct session *s, struct span section)
{
    enum from_look found = FROM_READ;
    struct header_field f;
    for (;;) {
        switch (header_next(&section, &f)) {
        case HEADER_END: return found;
        case HEADER_NO_COLON: return FROM_NO_COLON;
        case HEADER_NAME: return FROM_NAME;
        case HEADER_STRAY: return FROM_STRAY;
        case HEADER_FIELD: break;
        }
        if (!span_eq_nocase(f.name, SPAN("From")) && !span_eq_nocase(f.name, SPAN("Sender"))) continue;
        if (!addresses(s, f.value)) found = FROM_NOT_YOURS;
    }
}

void inbound_from_read(struct session *s, bool ended)
{
    static uint8_t memory[LIMIT_FROM_SECTION_OCTETS];
    struct transaction *t = s->transaction;
    struct buf b = buf_on(memory, sizeof memory);
    bool whole;
    if (!inbound_from_locked(s) || t->from != FROM_UNREAD) return;
    for (unsigned i = 0; i < t->n_content && buf_room(&b); i++) {
        struct buf block = inbound_block(s->in, &t->content[i]);
        buf_put(&b, span_head(buf_span(&block), buf_room(&b)));
    }
    struct span section = header_section(buf_span(&b), sizeof memory - 1, &whole);
    /* what ends with the octets that are here, and not with an empty line, goes on in a chunk to come */
    whole &= section.n < b.n || ended;
    /* what begins with a blank does not continue our field */
    t->from = (uint8_t)(whole ? look_at(s, span_skip(section, t->own_n)) : FROM_TOO_LONG);
}

void inbound_from_begin(struct session *s)
{
    struct inbound_principal *p = s->principal;
    if (!p) return;
    p->from_asked = false;
    p->from_n = p->from_at = 0;
}

bool inbound_from_locked(const struct session *s)
{
    const struct config_server *server = &s->in->setup.config->servers[s->server];
    return server->from_lock && (s->principal ? !(s->principal->rights & RIGHT_ANY_SENDER)
                                              : server->profile == PROFILE_LEGACY_DEVICE);
}

struct span inbound_from_asked(const struct session *s)
{
    const struct inbound_principal *p = s->principal;
    if (!p) return SPAN(""); /* of a device nobody is asked */
    struct span asked = span_of(p->from, p->from_at ? p->from_at - 1u : 0u);
    size_t before = span_rfind(asked, 0);
    return before == SPAN_NPOS ? asked : span_skip(asked, before + 1);
}

enum inbound_from inbound_from_check(struct session *s)
{
    struct inbound_principal *p = s->principal;
    if (!inbound_from_locked(s)) return INBOUND_FROM_PERMITTED;
    inbound_from_read(s, true);
    if (s->transaction->from != FROM_READ) return INBOUND_FROM_REFUSED;
    if (!p || p->from_at == p->from_n) return INBOUND_FROM_PERMITTED;
    struct span rest = span_of(p->from + p->from_at, (size_t)(p->from_n - p->from_at));
    struct span key = span_head(rest, span_find(rest, 0));
    p->from_at = (uint16_t)(p->from_at + key.n + 1);
    p->from_asked = inbound_ask_sender(s, key);
    return p->from_asked ? INBOUND_FROM_ASKED : INBOUND_FROM_LATER;
}

const struct server_verdict *inbound_from_refusal(const struct session *s, const char **rule)
{
#define REFUSED(reason)                                                                                      \
    {                                                                                                        \
        .code = 550, .enhanced = "5.7.1", .text = SPAN(reason)                                               \
    }
    static const struct server_verdict refusals[FROM_LOOK_COUNT] = {
        [FROM_NOT_YOURS] = REFUSED("From or Sender names an address that is not yours"),
        [FROM_TOO_LONG] = REFUSED("The header section is too long to look for From in it"),
        [FROM_NO_COLON] = REFUSED("The header section has a line that is no field: no colon in it"),
        [FROM_NAME] = REFUSED(
            "The header section has a field without a name, or with blanks, controls or 8-bit octets in it"),
        [FROM_STRAY] = REFUSED("The header section has a CR or LF alone, or a NUL"),
    };
    static const struct server_verdict not_listed = REFUSED(PIN_FROM_REFUSED);
    bool malformed = s->transaction->from != FROM_NOT_YOURS;
    *rule = malformed ? "from-malformed" : s->principal ? "sender-lock" : "sender.pinned";
    return malformed || s->principal ? &refusals[s->transaction->from] : &not_listed;
}
