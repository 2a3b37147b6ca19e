/* Sessions of old devices: each has a line in the log when it ends, of what it spoke and what a server of today would miss. */
#include <stdlib.h>

#include "policy/legacy.h"
#include "service/inbound_private.h"
#include "system/log.h"

bool inbound_legacy_take_memory(struct inbound *in)
{
    bool any = false;
    for (uint32_t i = 0; i < in->setup.config->n_servers; i++)
        any |= in->setup.config->servers[i].profile == PROFILE_LEGACY_DEVICE;
    if (any) in->legacy = calloc(in->max_sessions + 1u, sizeof *in->legacy);
    return !any || in->legacy;
}

/* Null: it is no session of such a server. */
static struct inbound_legacy *legacy_of(const struct session *s)
{
    bool old = s->in->setup.config->servers[s->server].profile == PROFILE_LEGACY_DEVICE;
    return old ? &s->in->legacy[s - s->in->sessions] : NULL;
}

void inbound_legacy_begin(struct session *s)
{
    struct inbound_legacy *l = legacy_of(s);
    if (l) *l = (struct inbound_legacy){.mechanism = MECHANISM_COUNT};
}

void inbound_legacy_tls(struct session *s)
{
    struct inbound_legacy *l = legacy_of(s);
    if (l) l->tls_done = true;
}

void inbound_legacy_login(struct session *s, enum mechanism m)
{
    struct inbound_legacy *l = legacy_of(s);
    if (l) l->mechanism = (uint8_t)m;
}

void inbound_legacy_message(struct session *s)
{
    struct inbound_legacy *l = legacy_of(s);
    const struct transaction *t = s->transaction;
    struct envelope_head h;
    if (!l) return;
    l->messages++;
    l->sender_n = 0;
    struct buf b = inbound_block(s->in, &t->envelope[0]);
    struct wire w = wire_on(buf_span(&b));
    if (!envelope_read_head(&w, &h) || !h.reverse_path.n) return;
    struct span sender = span_head(h.reverse_path, sizeof l->sender);
    l->sender_n = (uint16_t)sender.n;
    memcpy(l->sender, sender.p, sender.n);
}

static void log_needs(uint32_t needs)
{
    uint8_t memory[160];
    struct buf b = buf_on(memory, sizeof memory);
    for (unsigned i = 0; i < LEGACY_NEEDS; i++) {
        if (!(needs & legacy_table[i].need)) continue;
        if (b.n) buf_byte(&b, ' ');
        buf_str(&b, legacy_table[i].name);
    }
    log_span("needs", buf_span(&b));
}

void inbound_legacy_end(const struct session *s, const char *why)
{
    const struct inbound_legacy *l = legacy_of(s);
    if (!l || !s->counted) return; /* it was turned away: "refused" has it, or nothing was said */
    const struct mechanism_row *m =
        s->principal && l->mechanism < MECHANISM_COUNT ? &mechanism_table[l->mechanism] : NULL;
    struct legacy_facts f = {
        .tls_tried = s->tls != NULL, .tls = s->tls && l->tls_done, .messages = l->messages};
    if (f.tls) {
        f.version = span_str(tls_version(s->tls));
        f.cipher = span_str(tls_cipher(s->tls));
    }
    if (m) {
        f.mechanism = span_str(m->name);
        f.shows_password = m->flags & MECHANISM_SECRET;
    }
    log_begin(LOG_LEVEL_INFO, "legacy-session");
    inbound_log_session(s);
    log_span("helo", server_helo(&s->engine));
    log_span("tls", f.tls ? f.version : f.tls_tried ? SPAN("failed") : SPAN("none"));
    if (f.tls) log_span("cipher", f.cipher);
    log_span("mechanism", m ? f.mechanism : SPAN("none"));
    if (s->principal) log_span("user", inbound_principal_name(s));
    if (l->messages) log_span("from", span_of(l->sender, l->sender_n));
    log_u64("messages", l->messages);
    log_needs(legacy_needs(&f));
    log_str("reason", why);
    log_end();
}
