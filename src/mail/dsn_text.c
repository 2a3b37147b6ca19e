#include "mail/dsn_private.h"
#include "mail/field.h"
#include "mail/received.h"

/* What a person can do about it, by the beginning of the status code (RFC 3463, RFC 5248); the first that fits. */
static const struct {
    const char *status;
    const char *advice;
} advices[] = {
    {"5.1.1", "There is no mailbox of that name. Check the address for typing errors."},
    {"5.1.2", "The domain of the address does not exist or takes no mail. Check the address."},
    {"5.1.", "The address cannot be used. Check it, and ask the recipient for another one."},
    {"5.2.2", "The mailbox is full. Ask the recipient to make room, then send the message again."},
    {"5.2.3", "The message is too large for the recipient. Send it in a smaller form."},
    {"5.2.", "The mailbox does not take mail now. Reach the recipient in another way."},
    {"5.3.4", "The message is too large. Send it in a smaller form."},
    {"5.4.6", "The address leads in a circle. Tell the postmaster of the recipient's domain."},
    {"5.4.7", "It was tried for as long as the mail system may try. Send it again later, or reach the "
              "recipient in another way."},
    {"4.4.7", "It was tried for as long as the mail system may try. Send it again later, or reach the "
              "recipient in another way."},
    {"5.6.", "The message has a form that the recipient's server does not take. Send it in another form."},
    {"5.7.",
     "The recipient's server does not permit it. Ask the recipient or their postmaster for permission."},
    {"5.", "Send this report to your postmaster if you do not understand the reason."},
    {"4.", "There is nothing you need to do."},
    {"2.", "There is nothing you need to do."},
};

static const char *advice_of(struct span status)
{
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++)
        if (span_starts_nocase(status, span_str(advices[i].status))) return advices[i].advice;
    return "";
}

static const char *const openings[DSN_ACTION_COUNT] = {
    [DSN_FAILED] =
        "Your message could not be delivered to the recipients below. It will not be tried again.\r\n",
    [DSN_DELAYED] = ("Your message could not be delivered yet to the recipients below. It is still being\r\n"
                     "tried; you do not need to send it again.\r\n"),
    [DSN_DELIVERED] = "Your message was delivered to the recipients below.\r\n",
    [DSN_RELAYED] = "Your message was passed on to servers that do not report about its delivery.\r\n",
    [DSN_EXPANDED] = "Your message was passed on to the members of the lists below.\r\n",
};

/* A paragraph of hostile text, indented and wrapped. */
static void put_indented(struct buf *b, struct span text, bool utf8)
{
    struct field f = {b, 3, SPAN("\r\n    "), utf8};
    buf_str(b, "   ");
    field_text(&f, text, 1000);
    buf_str(b, "\r\n");
}

void dsn_put_text(struct buf *b, const struct dsn *d)
{
    buf_str(b, "This is the mail system at ");
    field_put_clean(b, d->host, d->utf8);
    buf_str(b, ".\r\n\r\n");
    buf_str(b, openings[d->recipients[0].action]);
    for (size_t i = 0; i < d->n; i++) {
        const struct dsn_recipient *r = &d->recipients[i];
        const char *advice = advice_of(dsn_status(r));
        buf_str(b, "\r\n<");
        field_put_clean(b, r->final, d->utf8);
        buf_str(b, ">\r\n");
        if (r->expanded_from.n) {
            buf_str(b, "    (expanded from <");
            field_put_clean(b, r->expanded_from, d->utf8);
            buf_str(b, ">)\r\n");
        }
        if (r->diagnostic.n) {
            if (r->remote.n && !r->ours) {
                buf_str(b, "    The server ");
                field_put_clean(b, span_head(r->remote, 255), d->utf8);
                buf_str(b, " said:\r\n");
            }
            put_indented(b, r->diagnostic, d->utf8);
        }
        if (advice[0]) put_indented(b, span_str(advice), false);
        if (r->action == DSN_DELAYED && r->retry_until_seconds) {
            buf_str(b, "    It will be tried until ");
            date_put(b, r->retry_until_seconds);
            buf_str(b, ".\r\n");
        }
    }
    buf_str(b, "\r\nThe queue id of the message is ");
    field_put_clean(b, d->id, false);
    buf_str(b, ". What follows is a report for programs, and the\r\nmessage or its header.\r\n");
}
