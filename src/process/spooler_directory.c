/* spooler_directory: accepted recipients are expanded by the directory process: to a mailbox, or to what an alias names. */
#include <errno.h>
#include <stdlib.h>

#include "directory/expand.h"
#include "process/spooler_private.h"
#include "system/log.h"

static const struct ipc_allowed allowed[] = {{MSG_EXPAND_ANSWER, 16, UINT16_MAX, 0}};

void spooler_directory_lost(struct spooler *s, const char *reason)
{
    ipc_close(&s->directory);
    spooler_put_back_all(s, DELIVERY_ASKED);
    if (!s->stopping && reason) child_peer_lost(s->child, PROC_DIRECTORY, 0, reason);
}

static bool keep_targets(struct delivery *d, const struct expand_answer *a)
{
    static const uint8_t kind[EXPAND_KIND_COUNT] = {[EXPAND_MAILBOX] = DERIVED_MAILBOX,
                                                    [EXPAND_REMOTE] = DERIVED_REMOTE,
                                                    [EXPAND_NOBODY] = DERIVED_NOBODY};
    struct wire w = wire_on(a->targets);
    struct expand_target t;
    while (expand_target_read(&w, &t)) {
        uint8_t one[LIMIT_PATH_OCTETS + 8];
        struct buf b = buf_on(one, sizeof one);
        if (t.path.n > LIMIT_PATH_OCTETS) return false; /* no recipient of a message can be so long */
        derived_put(&b, &(struct derived){kind[t.kind], t.path});
        if (b.over || ++d->count > LIMIT_ALIAS_EXPANSION) return false;
        if (d->targets_length + b.n > d->targets_max) {
            size_t max = d->targets_max ? d->targets_max * 2 : 512;
            uint8_t *grown = realloc(d->targets, max);
            if (!grown) return false;
            d->targets = grown;
            d->targets_max = max;
        }
        memcpy(d->targets + d->targets_length, one, b.n);
        d->targets_length += b.n;
    }
    if (a->owner.n <= sizeof d->owner && a->owner.n) {
        memcpy(d->owner, a->owner.p, a->owner.n);
        d->owner_length = (uint16_t)a->owner.n;
    }
    return !w.bad;
}

/* No alias led there: the mailbox is what was written, a subaddress aside. */
static bool itself(const struct message *m, const struct delivery *d, struct span mailbox)
{
    struct span path = message_path(m, &message_recipients(m)[d->recipient]);
    struct span local = span_head(path, path.n - domain_of(path).n),
                base = span_head(local, span_find(local, '+'));
    struct span there = span_head(mailbox, mailbox.n - domain_of(mailbox).n);
    if (base.n < local.n) there = span_head(there, there.n ? there.n - 1 : 0); /* without the @ */
    return span_eq_nocase(domain_of(path), domain_of(mailbox)) && span_eq_nocase(base, there);
}

/* One mailbox, and nothing to remember: a Maildir of ours, or a next hop that takes the address as it was written. Whatever else its
 * mail is to do (wait, be thrown away, go to a next hop under another address) it does as a derived recipient. True: done. */
static bool straight(struct spooler *s, struct delivery *d, const struct message *m, struct span mailbox)
{
    static struct config_way way;
    const struct recipient *r = &message_recipients(m)[d->recipient];
    switch (spooler_way_to(s, m, r, mailbox, &way)) {
    case WAY_MAILBOX:
    case WAY_NONE: spooler_deliver(s, d, mailbox); return true;
    case WAY_NEXT_HOP:
        if (!itself(m, d, mailbox) || !spooler_line_up(s, d->id, d->recipient)) return false;
        spooler_delivery_release(s, d);
        return true;
    default: return false;
    }
}

static void expanded(struct spooler *s, struct delivery *d)
{
    struct span targets = span_of(d->targets, d->targets_length);
    struct wire w = wire_on(targets);
    struct derived only;
    const struct message *m = store_find(s->store, d->id);
    bool one =
        d->count == 1 && d->owner_length == 0 && derived_read(&w, &only) && only.kind == DERIVED_MAILBOX;
    if (m && one && straight(s, d, m, only.path)) return;
    if (m && d->count > LIMIT_MESSAGE_RECIPIENTS - m->n_recipients) { /* nor will it have room later */
        spooler_outcome(s, d, RECIPIENT_BOUNCED, SPAN("5.1.4"),
                        SPAN("its alias has too many recipients, with the others of this message"));
        return;
    }
    if (!store_writable(s->store) || !store_expand(s->store, d->id, d->recipient,
                                                   span_of(d->owner, d->owner_length), targets, s->now_ms)) {
        spooler_put_back(s, d, SPOOLER_RETRY_MS);
        return;
    }
    log_begin(LOG_LEVEL_INFO, "expanded");
    spooler_log_id(d->id);
    log_u64("recipients", d->count);
    log_end();
    spooler_delivery_release(s, d);
}

static void on_answer(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct spooler *s = context;
    struct expand_answer a;
    (void)type, (void)fds, (void)n_fds;
    if (!s->directory) return;
    if (!expand_answer_read(payload, &a)) {
        spooler_directory_lost(s, "malformed answer");
        return;
    }
    struct delivery *d = spooler_delivery_find(s, a.id, a.recipient, DELIVERY_ASKED);
    if (!d) return;
    s->now_ms = loop_unix_ms(s->child->loop);
    switch (a.status) {
    case EXPAND_OK: break;
    case EXPAND_UNKNOWN:
        spooler_outcome(s, d, RECIPIENT_BOUNCED, SPAN("5.1.1"), SPAN("no such mailbox"));
        return;
    case EXPAND_LOOP:
        spooler_outcome(s, d, RECIPIENT_BOUNCED, SPAN("5.4.6"), SPAN("its alias leads back to itself"));
        return;
    case EXPAND_TOO_MANY:
        /* the operator can mend that: until then nobody is told that his mail came back */
        spooler_outcome(s, d, RECIPIENT_DEFERRED, SPAN("4.3.5"),
                        SPAN("its alias has too many recipients: sallyport check names it"));
        return;
    default:
        spooler_outcome(s, d, RECIPIENT_DEFERRED, SPAN("4.3.0"), SPAN("the directory cannot tell now"));
        return;
    }
    if (!keep_targets(d, &a))
        spooler_outcome(s, d, RECIPIENT_DEFERRED, SPAN("4.3.0"), SPAN("its alias cannot be expanded now"));
    else if (a.last && d->count == 0)
        spooler_outcome(s, d, RECIPIENT_BOUNCED, SPAN("5.1.1"), SPAN("its alias names nobody"));
    else if (a.last)
        expanded(s, d);
}

static void on_closed(void *context, const char *reason)
{
    spooler_directory_lost(context, reason);
}

void spooler_directory_open(struct spooler *s, int fd)
{
    spooler_directory_lost(s, NULL); /* a newer one takes the questions */
    s->directory = ipc_open(s->child->loop, fd, allowed, 1, SPOOLER_RESULTS_QUEUED, on_answer, on_closed, s);
    if (!s->directory) log_note(LOG_LEVEL_ERROR, "channel-failed", "directory", errno);
}

void spooler_expand(struct spooler *s, struct delivery *d, struct span path)
{
    uint8_t memory[LIMIT_PATH_OCTETS + 32];
    struct buf b = buf_on(memory, sizeof memory);
    expand_question_put(&b, &(struct expand_question){d->id, d->recipient, path});
    d->stage = DELIVERY_ASKED;
    d->asked_ms = loop_now_ms(s->child->loop);
    if (!s->directory || b.over || !ipc_send(s->directory, MSG_EXPAND_QUESTION, buf_span(&b)))
        spooler_put_back(s, d, SPOOLER_RETRY_MS);
}
