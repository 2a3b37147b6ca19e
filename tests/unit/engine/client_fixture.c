#include "client_fixture.h"

static const struct client_recipient plain_recipients[3] = {
    {0, SPAN("u0@d"), 0, {NULL, 0}}, {1, SPAN("u1@d"), 0, {NULL, 0}}, {2, SPAN("u2@d"), 0, {NULL, 0}}};
static const struct client_recipient idn_recipients[1] = {{0,
                                                           SPAN("u0@B\xc3\xbc"
                                                                "cher.example"),
                                                           0,
                                                           {NULL, 0}}};
static const struct client_recipient dsn_recipients[1] = {
    {0, SPAN("u0@d"), DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY, SPAN("rfc822;o@d")}};

void client_fixture(struct caller *p, unsigned how, unsigned recipients, struct client_transaction *todo)
{
    static const char *const responses[] = {"AGEAYg==", "eA=="};
    struct client_conf conf = {.helo = SPAN("me"),
                               .lmtp = how & LMTP,
                               .tls = how & MAY        ? CLIENT_TLS_MAY
                                      : how & MUST_TLS ? CLIENT_TLS_MUST
                                                       : CLIENT_TLS_NEVER,
                               .tls_active = how & TLS_ACTIVE,
                               .authenticate = how & AUTH};
    for (unsigned i = 0; i < 2; i++)
        todo[i] =
            (struct client_transaction){.reverse_path = how & UTF8_LOCAL ? SPAN("\xc3\xbc@b") : SPAN("a@b"),
                                        .envid = how & DSN ? SPAN("e+2B1") : SPAN(""),
                                        .ret = how & DSN ? DSN_RET_HDRS : DSN_RET_NONE,
                                        .body_8bit = how & EIGHT,
                                        .body_binary = how & BINARY,
                                        .utf8 = how & UTF8,
                                        .content_octets = 10,
                                        .recipients = how & DSN   ? dsn_recipients
                                                      : how & IDN ? idn_recipients
                                                                  : plain_recipients,
                                        .n = recipients};
    *p = (struct caller){.now_ms = 1000,
                         .todo = todo,
                         .n_todo = how & TWICE ? 2 : 1,
                         .content = SPAN("Hi\r\n.dot\r\n"),
                         .hold_content = how & HOLD,
                         .fail_content = how & DAMAGED,
                         .mechanism = "PLAIN",
                         .responses = responses,
                         .n_responses = 2};
    caller_begin(p, &conf);
}
