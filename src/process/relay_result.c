/* What becomes of recipients: to the spooler, and into the log. */
#include "process/relay_private.h"
#include "spool/message_id.h"
#include "system/log.h"

static enum job_status status_of(const struct client_reply *reply)
{
    return reply->enhanced.class == 2   ? JOB_DELIVERED
           : reply->enhanced.class == 5 ? JOB_FAILED
                                        : JOB_DEFERRED;
}

static void put_enhanced(struct buf *b, struct enhanced e)
{
    buf_u64(b, e.class);
    buf_byte(b, '.');
    buf_u64(b, e.subject);
    buf_byte(b, '.');
    buf_u64(b, e.detail);
}

static void count(struct relay *r, enum job_status status)
{
    r->counters.relayed += status == JOB_DELIVERED;
    r->counters.deferred += status == JOB_DEFERRED;
    r->counters.failed += status == JOB_FAILED;
}

static void log_result(const struct relay_link *l, const struct client_recipient *to,
                       const struct client_reply *reply, const struct relay_result *m)
{
    static const char *const event[JOB_STATUS_COUNT] = {"relayed", "relay-deferred", "relay-failed"};
    uint8_t text[MESSAGE_ID_TEXT], name[LIMIT_NEXT_HOP_OCTETS + 32];
    struct buf id = buf_on(text, sizeof text), hop = buf_on(name, sizeof name);
    message_id_put(&id, l->job->id);
    next_hop_put_text(&hop, &l->job->hop);
    log_begin(m->status == JOB_DELIVERED ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, event[m->status]);
    if (l->id) log_id(l->id); /* there is none where nothing could be connected to */
    log_span("id", buf_span(&id));
    log_span("to", to->path);
    log_span("next_hop", buf_span(&hop));
    log_span("host", m->host);
    log_span("tls", m->tls);
    log_u64("code", m->code);
    log_str("enhanced", m->enhanced);
    log_span("reply", reply->text);
    log_u64("ms", m->transfer_ms);
    log_end();
}

static struct relay_result result_of(const struct relay_link *l, const struct client_reply *reply)
{
    struct relay_result m = {.job = l->job->job,
                             .status = (uint8_t)status_of(reply),
                             .relayed_dsn = l->session && outbound_offers_dsn(l->session),
                             .code = reply->code,
                             .text = reply->text,
                             .host = span_of(l->host, l->host_n),
                             .tls = span_of(l->tls, l->tls_n),
                             .dns_ms = l->messages ? 0 : l->dns_ms,
                             .connect_ms = l->messages ? 0 : l->connect_ms,
                             .session_ms = l->messages ? 0 : l->session_ms};
    struct buf enhanced = buf_on(m.enhanced, sizeof m.enhanced - 1);
    put_enhanced(&enhanced, reply->enhanced);
    if (l->sent_ms) m.transfer_ms = (uint32_t)(loop_now_ms(l->relay->child->loop) - l->sent_ms);
    return m;
}

static void answer(struct relay *r, const struct relay_result *m)
{
    uint8_t memory[2048];
    struct buf b = buf_on(memory, sizeof memory);
    relay_result_put(&b, m);
    if (r->spooler && !r->lost && !b.over && !ipc_send(r->spooler, MSG_RELAY_RESULT, buf_span(&b)))
        relay_spooler_lost(r, "results are not read");
}

void relay_tell_recipient(struct relay_link *l, uint32_t i, const struct client_reply *reply)
{
    struct relay_job *j = l->job;
    struct relay_result m = result_of(l, reply);
    m.scope = RELAY_RECIPIENT;
    m.recipient = j->to[i].index;
    j->told[i] = true;
    count(l->relay, (enum job_status)m.status);
    log_result(l, &j->to[i], reply, &m);
    answer(l->relay, &m);
}

void relay_tell_rest(struct relay_link *l, const struct client_reply *reply, bool next_hop)
{
    struct relay_job *j = l->job;
    struct relay_result m = result_of(l, reply);
    m.scope = next_hop ? RELAY_NEXT_HOP : RELAY_MESSAGE;
    m.last = true;
    for (uint32_t i = 0; i < j->n; i++) {
        if (j->told[i]) continue;
        count(l->relay, (enum job_status)m.status);
        log_result(l, &j->to[i], reply, &m);
    }
    l->job = NULL;
    relay_job_end(l->relay, j);
    answer(l->relay, &m);
}

void relay_alarm(const struct relay_link *l, const char *text)
{
    uint8_t memory[MESSAGE_ID_TEXT];
    struct buf id = buf_on(memory, sizeof memory);
    message_id_put(&id, l->job->id);
    log_begin(LOG_LEVEL_ERROR, "alarm");
    log_span("id", buf_span(&id));
    log_str("text", text);
    log_end();
}
