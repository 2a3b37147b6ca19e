/* From which addresses who has logged in may send: as service/inbound_policy and identity/find have it. */
#include "cmd/explain_private.h"

static struct buf *begin(struct explain_call *x)
{
    struct buf *b = explain_begin(x->e, "sender");
    buf_byte(b, '<');
    path_put(&x->q->sender, b);
    buf_byte(b, '>');
    return b;
}

static bool permitted(struct explain_call *x, struct span by)
{
    bool own = span_eq(by, x->who.name);
    struct buf *b = begin(x);
    buf_str(b, own ? ": its own address" : ": listed for it as ");
    if (!own) buf_put(b, by);
    explain_field(x->e, "by", by);
    explain_end(x->e, own ? "sender.own" : "sender.listed");
    return true;
}

static bool refused(struct explain_call *x, bool unreadable)
{
    struct buf *b = begin(x);
    buf_str(b, unreadable ? ": the list of its addresses cannot be read"
                          : ": neither its own address nor listed for it (sallyport user sender add)");
    explain_end(x->e, unreadable ? "sender.unreadable" : "sender.not-listed");
    if (unreadable)
        explain_reply(x->e, 451, "4.3.0", "Your right to this sender cannot be checked now");
    else
        explain_reply(x->e, 553, "5.7.1", "This sender address is not yours");
    return false;
}

/* The fields of the message are not known here; what they may name is. */
static void from_lock(struct explain_call *x)
{
    if (!x->server->from_lock) return;
    struct buf *b = explain_begin(x->e, "from");
    buf_str(b, "From and Sender of the message may name the addresses that it may use as its reverse-path "
               "(from-lock)");
    explain_end(x->e, "from-lock");
}

bool explain_sender(struct explain_call *x)
{
    uint8_t memory[EXPLAIN_KEY_OCTETS], row[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf key = buf_on(memory, sizeof memory), by = buf_on(row, sizeof row);
    if (x->rights & RIGHT_ANY_SENDER) {
        struct buf *b = begin(x);
        buf_str(b, ": the right any-sender: every address, in From and Sender too");
        explain_end(x->e, "right.any-sender");
        return true;
    }
    if (x->q->sender.null) {
        struct buf *b = begin(x);
        buf_str(b, ": the null reverse-path is nobody's: whoever may send may use it");
        explain_end(x->e, "sender.null");
        from_lock(x);
        return true;
    }
    path_key(&x->q->sender, &key);
    bool outsider = x->who.number & IDENTITY_OUTSIDE;
    bool own = !key.over && (outsider ? identity_own_address(x->who.name, buf_span(&key))
                                      : span_eq(buf_span(&key), x->who.name));
    enum identity_found found = own        ? IDENTITY_FOUND
                                : outsider ? IDENTITY_UNKNOWN
                                           : identity_sender(x->identity, x->who.number, buf_span(&key), &by);
    if (found != IDENTITY_FOUND) return refused(x, found == IDENTITY_UNREADABLE);
    (void)permitted(x, own ? x->who.name : buf_span(&by));
    from_lock(x);
    return true;
}

bool explain_device(struct explain_call *x)
{
    uint8_t memory[EXPLAIN_KEY_OCTETS];
    struct buf key = buf_on(memory, sizeof memory);

    if (x->server->profile != PROFILE_LEGACY_DEVICE) return true;
    path_key(&x->q->sender, &key);
    bool listed = config_sender_listed(x->server, &x->q->address, buf_span(&key));
    struct buf *b = explain_begin(x->e, "sender");
    buf_str(b, listed ? "a sender line lists it for the client's address"
                      : "no sender line lists it for the client's address");
    explain_end(x->e, listed ? "sender.listed" : "sender.pinned");
    if (listed)
        from_lock(x);
    else
        explain_reply(x->e, 553, "5.7.1", PIN_REFUSED);
    return listed;
}
