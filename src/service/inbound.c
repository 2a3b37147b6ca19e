#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/inbound_private.h"
#include "spool/message_id.h"

static uint32_t power_of_two(uint32_t n)
{
    uint32_t p = 1024;
    while (p < n)
        p <<= 1;
    return p;
}

static bool take_memory(struct inbound *in)
{
    const struct config *c = in->setup.config;
    uint64_t sessions = 0;
    for (uint32_t i = 0; i < c->n_servers; i++)
        sessions += c->servers[i].limits.sessions;
    in->max_sessions = (uint32_t)(sessions > LIMIT_SESSIONS_MAX ? LIMIT_SESSIONS_MAX : sessions);
    in->max_transactions = in->setup.pool->geometry.small / 2 + 1;
    uint32_t buckets = power_of_two(in->max_transactions);
    in->by_id_mask = buckets - 1;
    in->conf = calloc(c->n_servers + 1u, sizeof *in->conf);
    in->bare = calloc(c->n_servers + 1u, sizeof *in->bare);
    in->sessions = calloc(in->max_sessions + 1u, sizeof *in->sessions);
    in->principals = calloc(in->max_sessions + 1u, sizeof *in->principals);
    in->transactions = calloc(in->max_transactions, sizeof *in->transactions);
    in->by_id = calloc(buckets, sizeof *in->by_id);
    in->shares = calloc(in->max_transactions, sizeof *in->shares);
    in->by_source = calloc(buckets, sizeof *in->by_source);
    in->listening = calloc(LIMIT_LISTENERS, sizeof *in->listening);
    in->input = malloc(INBOUND_READ_OCTETS);
    in->output = malloc(INBOUND_OUT_OCTETS);
    return in->conf && in->bare && in->sessions && in->principals && in->transactions && in->by_id &&
           in->shares && in->by_source && in->listening && in->input && in->output &&
           inbound_legacy_take_memory(in) && inbound_name_memory(in);
}

struct inbound *inbound_create(const struct inbound_setup *setup)
{
    struct inbound *in = calloc(1, sizeof *in);
    if (!in) return NULL;
    in->setup = *setup;
    in->ready_tail = &in->ready;
    if (!take_memory(in)) {
        free(in->conf);
        free(in->bare);
        free(in->sessions);
        free(in->principals);
        free(in->legacy);
        free(in->namings);
        free(in->transactions);
        free(in->by_id);
        free(in->shares);
        free(in->by_source);
        free(in->listening);
        free(in->input);
        free(in->output);
        free(in);
        return NULL;
    }
    for (uint32_t i = 0; i < setup->config->n_servers; i++) {
        inbound_conf_fill(&in->conf[i], &setup->config->servers[i], setup->tls && setup->tls[i]);
        inbound_conf_fill(&in->bare[i], &setup->config->servers[i], false);
    }
    for (uint32_t i = in->max_transactions; i-- > 0;) {
        in->transactions[i].next = in->free_transactions;
        in->free_transactions = &in->transactions[i];
        in->shares[i].next = in->free_shares;
        in->free_shares = &in->shares[i];
    }
    return in;
}

bool inbound_listen(struct inbound *in, unsigned server, unsigned listener, int fd, bool shared)
{
    if (in->n_listening == LIMIT_LISTENERS) return false;
    struct listening *l = &in->listening[in->n_listening];
    *l = (struct listening){
        .in = in,
        .interest = LOOP_READ | LOOP_LEVEL | (shared ? LOOP_EXCLUSIVE : 0),
        .server = (uint16_t)server,
        .listener = (uint16_t)listener,
        .open = true,
    };
    /* Inherited by what is accepted: replies leave in one piece a turn already, so none needs to wait for the ACK of the one
     * before. What cannot be set (no TCP) does without. */
    static const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!loop_watch(in->setup.loop, &l->watch, fd, l->interest, inbound_on_listener)) return false;
    in->n_listening++;
    return true;
}

/* A chunk was refused: the message cannot be kept. What arrives further is read and thrown away (RFC 3030: a failed BDAT's octets
 * are consumed), then comes the refusal. */
static void chunk_failed(struct session *s, uint8_t status)
{
    s->transaction->failed = true;
    s->in->counters.deferred++;
    inbound_log_message(s->in, s->transaction, status);
    if (status == SUBMIT_FULL)
        server_fail_content(&s->engine, 452, "4.3.1", "No space to store the message, try again later");
    else
        server_fail_content(&s->engine, 451, "4.3.0", "Message could not be stored, try again later");
}

/* Books the result of a commit; the transaction is gone afterwards. */
static void book(struct inbound *in, struct transaction *t, uint8_t status)
{
    inbound_log_message(in, t, status);
    if (status == SUBMIT_DURABLE) {
        in->counters.messages++;
        in->counters.octets += t->octets;
        if (t->session) t->session->messages++;
        if (t->session) inbound_legacy_message(t->session);
    } else {
        in->counters.deferred++;
        if (t->session) inbound_rate_no_message(t->session, t->counted_ms);
    }
    inbound_transaction_free(in, t);
}

void inbound_committed(struct session *s, uint8_t status)
{
    struct inbound *in = s->in;
    uint8_t text[32];
    struct buf b = buf_on(text, sizeof text);
    struct server_verdict v = {.code = 451,
                               .enhanced = "4.3.0",
                               .text = SPAN("Message could not be stored, try again later"),
                               .no_error = true};
    if (status == SUBMIT_DURABLE) {
        buf_put(&b, SPAN("queued as "));
        message_id_put(&b, s->transaction->id);
        v = (struct server_verdict){.code = 250, .enhanced = "2.0.0", .text = buf_span(&b)};
    } else if (status == SUBMIT_FULL) {
        v.code = 452;
        v.enhanced = "4.3.1";
        v.text = SPAN("No space to store the message, try again later");
    }
    if (status == SUBMIT_STATUS_COUNT)
        inbound_transaction_drop(s); /* no answer came: LIMIT_COMMIT_SECONDS */
    else
        book(in, s->transaction, status);
    struct buf out = buf_on(in->output, INBOUND_OUT_OCTETS);
    server_answer(&s->engine, loop_now_ms(in->setup.loop), &v, &out);
    s->wait &= (uint8_t)~WAIT_RESULT;
    if (s->wait & WAIT_WRITE)
        (void)!inbound_send(s, buf_span(&out)); /* inbound_on_socket goes on when the peer has taken it all */
    else
        inbound_go_on(s, &out, true);
}

static void chunk_written(struct inbound *in, struct transaction *t, const struct submit_result *r)
{
    struct session *s = t->session;
    uint32_t n = r->blocks < t->n_sent ? r->blocks : t->n_sent;
    for (uint32_t i = 0; i < n; i++)
        inbound_block_give(in, t, t->sent[i]);
    memmove(t->sent, t->sent + n, (t->n_sent - n) * sizeof t->sent[0]);
    t->n_sent = (uint16_t)(t->n_sent - n);
    if (r->status != SUBMIT_WRITTEN && !t->failed) chunk_failed(s, r->status);
    if (s->wait & WAIT_WINDOW) {
        s->wait &= (uint8_t)~WAIT_WINDOW;
        s->rerun = true;
        inbound_ready(s);
    }
}

void inbound_result(struct inbound *in, const struct submit_result *r)
{
    struct transaction *t = inbound_transaction_find(in, r->id);
    if (!t || t->aborting) return;
    if (!t->committed) {
        chunk_written(in, t, r);
        return;
    }
    if (r->status == SUBMIT_WRITTEN)
        return; /* of one of its chunks: all blocks come back with the last result */
    if (t->session)
        inbound_committed(t->session, r->status);
    else
        book(in, t, r->status);
}

void inbound_spooler_lost(struct inbound *in)
{
    inbound_transaction_aborts(in, true);
    for (uint32_t i = 0; i < in->max_transactions; i++) {
        struct transaction *t = &in->transactions[i];
        struct session *s = t->session;
        if (t->committed && s)
            inbound_committed(s, SUBMIT_FAILED);
        else if (t->committed)
            book(in, t, SUBMIT_FAILED);
        else if (s && t->opened && !t->failed) {
            t->opened = false;
            chunk_failed(s, SUBMIT_FAILED);
            s->wait &= (uint8_t)~WAIT_WINDOW;
            s->rerun = true;
            inbound_ready(s);
        }
    }
}

bool inbound_key_answer(struct inbound *in, struct span answer)
{
    bool bad = false;
    (void)in;
    struct tls *t = tls_key_answer(answer, &bad);
    if (t) inbound_serve(tls_owner(t));
    return !bad;
}

void inbound_key_lost(struct inbound *in)
{
    (void)in;
    for (struct tls *t; (t = tls_key_lost());)
        inbound_serve(tls_owner(t));
}

void inbound_tls_off(struct inbound *in, unsigned server)
{
    in->conf[server].extensions &= ~(uint32_t)EXT_STARTTLS;
}

uint32_t inbound_sessions(const struct inbound *in)
{
    return in->n_sessions;
}

void inbound_drain(struct inbound *in, bool stopping)
{
    in->stopping |= stopping;
    for (uint32_t i = 0; i < in->n_listening; i++) {
        struct listening *l = &in->listening[i];
        if (!l->open) continue;
        loop_forget(in->setup.loop, &l->watch);
        loop_timer_stop(in->setup.loop, &l->timer);
        close(l->watch.fd);
        l->open = false;
    }
    if (!stopping) return;
    for (uint32_t i = 0; i < in->used_sessions; i++) {
        struct session *s = &in->sessions[i];
        if (!s->open || s->lingering || (s->wait & (WAIT_WRITE | WAIT_HANDSHAKE))) continue;
        if (s->wait & WAIT_PROXY) {
            inbound_session_close(s, "service is shutting down");
            continue;
        }
        if (s->wait & WAIT_NAME) {
            inbound_turn_away(s, 421, "4.3.2", SPAN("Service is shutting down, try again later"));
            continue;
        }
        struct buf out = buf_on(in->output, INBOUND_OUT_OCTETS);
        if (server_drain(&s->engine, &out) != SERVER_CLOSE) continue;
        s->closing = true;
        if (inbound_send(s, buf_span(&out))) inbound_ready(s);
    }
}

static void again(struct timer *t)
{
    (void)t; /* only wakes the loop: inbound_after_turn does the work */
}

void inbound_after_turn(struct inbound *in)
{
    inbound_transaction_aborts(in, false);
    struct session *s = in->ready;
    in->ready = NULL;
    in->ready_tail = &in->ready;
    while (s) {
        struct session *next = s->next;
        s->ready = false;
        if (!s->open) {
            s->next = in->free_sessions;
            in->free_sessions = s;
        } else {
            if (s->wait & (WAIT_BLOCK | WAIT_WINDOW)) {
                s->wait &= (uint8_t) ~(WAIT_BLOCK | WAIT_WINDOW);
                s->rerun = true;
            }
            inbound_serve(s);
        }
        s = next;
    }
    if (!in->ready) return;
    bool only_starved = true;
    for (s = in->ready; s && only_starved; s = s->next)
        only_starved = s->open && (s->wait & (WAIT_BLOCK | WAIT_WINDOW));
    loop_timer_set(in->setup.loop, &in->again,
                   loop_now_ms(in->setup.loop) + (only_starved ? INBOUND_RETRY_MS : 0), again);
}

void inbound_status(const struct inbound *in, struct buf *json)
{
    const struct inbound_counters *c = &in->counters;
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"sessions", in->n_sessions},
                   {"sessions_total", c->sessions},
                   {"messages", c->messages},
                   {"octets", c->octets},
                   {"refused_recipients", c->refused_recipients},
                   {"refused_sessions", c->refused_sessions},
                   {"banned_sessions", c->banned_sessions},
                   {"names_asked", c->names_asked},
                   {"names_found", c->names_found},
                   {"names_waiting", in->names_waiting},
                   {"bans", in->setup.barred ? barred_count(in->setup.barred) : 0},
                   {"deferred", c->deferred},
                   {"aborted", c->aborted},
                   {"pool_small_free", in->setup.pool->free_small_n},
                   {"pool_large_free", in->setup.pool->free_large_n}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        buf_str(json, i ? ",\"" : "\"");
        buf_str(json, members[i].name);
        buf_str(json, "\":");
        buf_u64(json, members[i].value);
    }
}
