#include "process/directory_login_log.h"

#include "sasl/mechanism.h"
#include "system/log.h"

static void put_client(const struct address *a)
{
    uint8_t text[64];
    struct buf client = buf_on(text, sizeof text);
    address_put(&client, a);
    log_span("client", buf_span(&client));
}

void logins_log_refused(const struct config *c, const struct login *l)
{
    const struct login_report *r = login_report_of(l);
    const struct login_begin *m = login_begin_of(l);
    struct address a;
    if (!r->reason) return;
    memcpy(a.octets, m->client, sizeof a.octets);
    log_begin(LOG_LEVEL_SECURITY, "login-refused");
    log_id(m->session);
    log_span("server", c->servers[m->server].name);
    put_client(&a);
    log_str("mechanism", mechanism_table[m->mechanism].name);
    log_span("claimed", span_of(r->claimed, r->claimed_n));
    log_str("reason", login_reason_table[r->reason].name);
    if (r->detail_n) log_span("detail", span_of(r->detail, r->detail_n));
    log_end();
}

void logins_log_deferred(uint64_t session, const struct address *client)
{
    log_begin(LOG_LEVEL_WARNING, "login-deferred");
    log_id(session);
    put_client(client);
    log_str("text", "its network has too many logins at once");
    log_end();
}
