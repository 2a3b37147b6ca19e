#include "edge.h"

#include "mail/received.h"
#include "spool/envelope.h"
#include "spool/message_id.h"

#define NO_RESULT 0xff

void edge_begin(struct edge *e, struct scene *scene)
{
    memset(e, 0, sizeof *e);
    e->scene = scene;
    e->owner = 1;
    e->conf =
        (struct server_conf){.hostname = SPAN("mx.dest.example"),
                             .extensions = EXT_PIPELINING | EXT_SIZE | EXT_8BITMIME | EXT_BINARYMIME |
                                           EXT_CHUNKING | EXT_SMTPUTF8 | EXT_ENHANCEDSTATUSCODES | EXT_VRFY,
                             .max_recipients = LIMIT_RECIPIENTS_DEFAULT,
                             .max_messages = 4,
                             .max_errors = LIMIT_ERRORS_PER_SESSION_DEFAULT,
                             .max_junk = LIMIT_JUNK_COMMANDS_DEFAULT,
                             .max_received = LETTER_MAX_RECEIVED,
                             .max_session_octets = LIMIT_SESSION_OCTETS_MAX,
                             .max_message_octets = LETTER_MAX_OCTETS,
                             .max_line_octets = LIMIT_LINE_OCTETS_DEFAULT,
                             .command_seconds = LIMIT_COMMAND_SECONDS_DEFAULT,
                             .data_block_seconds = LIMIT_DATA_BLOCK_SECONDS_DEFAULT,
                             .session_seconds = LIMIT_SESSION_SECONDS_DEFAULT,
                             .message_seconds = LIMIT_MESSAGE_SECONDS_DEFAULT,
                             .minimum_rate = LIMIT_MINIMUM_RATE_OCTETS_PER_SECOND_DEFAULT};
}

bool edge_connect(struct edge *e, struct link *link)
{
    uint8_t memory[SERVER_REPLY_ROOM];
    struct buf out = buf_on(memory, sizeof memory);
    for (unsigned i = 0; i < EDGE_SESSIONS; i++) {
        struct session *s = &e->sessions[i];
        if (s->link) continue;
        *s = (struct session){.link = link};
        server_begin(&s->engine, &e->conf, e->scene->mono_ms, false, &out);
        pipe_write(&link->down, buf_span(&out));
        return true;
    }
    return false;
}

/* As much as the client's window takes; the rest stays. */
static void send_replies(struct session *s, struct span octets)
{
    struct pipe *down = &s->link->down;
    if (octets.n > sizeof s->unsent - s->n_unsent) octets.n = 0; /* the caller stops long before */
    if (octets.n) memcpy(s->unsent + s->n_unsent, octets.p, octets.n);
    s->n_unsent += octets.n;
    uint64_t waits = down->sent - down->read,
             room = waits < EDGE_WINDOW_OCTETS ? EDGE_WINDOW_OCTETS - waits : 0;
    size_t n = s->n_unsent < room ? s->n_unsent : (size_t)room;
    pipe_write(down, span_of(s->unsent, n));
    memmove(s->unsent, s->unsent + n, s->n_unsent - n);
    s->n_unsent -= n;
}

static void transaction_free(struct transaction *t)
{
    if (t->session) t->session->transaction = NULL;
    t->session = NULL;
    t->used = false;
}

static void transaction_drop(struct edge *e, struct session *s)
{
    struct transaction *t = s->transaction;
    if (!t) return;
    s->transaction = NULL;
    t->session = NULL;
    if (t->committed) return; /* goes on until its result is there */
    if (t->opened) store_abort(e->scene->store, t->id, e->owner);
    transaction_free(t);
}

static struct transaction *transaction_of(struct edge *e, uint64_t id)
{
    for (unsigned i = 0; i < EDGE_TRANSACTIONS; i++)
        if (e->transactions[i].used && e->transactions[i].id == id) return &e->transactions[i];
    return NULL;
}

static struct server_verdict refuse(unsigned code, const char *enhanced, const char *text)
{
    return (struct server_verdict){.code = (uint16_t)code, .enhanced = enhanced, .text = span_str(text)};
}

static struct server_verdict on_mail(struct edge *e, struct session *s, const struct server_detail *d)
{
    uint8_t memory[LIMIT_PATH_OCTETS + 2];
    struct buf from = buf_on(memory, sizeof memory);
    struct transaction *t = NULL;
    uint64_t serial = 0;
    for (unsigned i = 0; i < EDGE_TRANSACTIONS && !t; i++)
        if (!e->transactions[i].used) t = &e->transactions[i];
    if (!t) return refuse(452, "4.3.1", "No transaction is free");
    path_put(&d->path, &from);
    if (!letter_serial(buf_span(&from), &serial) || !scene_letter(e->scene, serial)) {
        scene_wrong(e->scene, "a transaction of nobody began: content was taken for commands");
        return refuse(550, "5.7.1", "Who are you");
    }
    e->last_id = message_id_next(e->last_id, 1, e->scene->unix_ms);
    *t = (struct transaction){.id = e->last_id,
                              .began_ms = e->scene->unix_ms,
                              .session = s,
                              .used = true,
                              .result = NO_RESULT,
                              .letter = (uint32_t)serial};
    struct envelope_head h = {.arrival_ms = e->scene->unix_ms,
                              .session = serial,
                              .server = SPAN("mx"),
                              .client_address = SPAN("192.0.2.7"),
                              .helo = server_helo(&s->engine),
                              .reverse_path = buf_span(&from)};
    struct buf b = buf_on(t->envelope, sizeof t->envelope);
    envelope_put_head(&b, &h);
    t->n_envelope = b.n;
    s->transaction = t;
    scene_note(e->scene, "transaction", t->id, serial);
    return (struct server_verdict){0};
}

static struct server_verdict on_rcpt(struct edge *e, struct session *s, const struct server_detail *d)
{
    struct transaction *t = s->transaction;
    uint8_t memory[LIMIT_PATH_OCTETS + 2];
    struct buf to = buf_on(memory, sizeof memory), b = buf_on(t->envelope, sizeof t->envelope);
    b.n = t->n_envelope;
    path_put(&d->path, &to);
    if (d->path.local.n == 0 || d->path.local.p[0] != 'r') return refuse(550, "5.1.1", "No such mailbox");
    envelope_put_recipient(&b, &(struct envelope_recipient){.local = 1, .path = buf_span(&to)});
    if (b.over) {
        scene_wrong(e->scene, "an envelope is too small");
        return refuse(452, "4.3.1", "No buffer");
    }
    t->n_envelope = b.n;
    if (t->recipients++ == 0) {
        t->n_first = to.n < sizeof t->first ? to.n : 0;
        memcpy(t->first, to.p, t->n_first);
    }
    return (struct server_verdict){0};
}

static void on_body_begin(struct edge *e, struct transaction *t)
{
    uint8_t memory[MESSAGE_ID_TEXT];
    struct buf id = buf_on(memory, sizeof memory), b = buf_on(t->content, sizeof t->content);
    message_id_put(&id, t->id);
    struct received r = {.helo = server_helo(&t->session->engine),
                         .address = SPAN("[192.0.2.7]"),
                         .by = e->conf.hostname,
                         .esmtp = true,
                         .id = buf_span(&id),
                         .unix_seconds = e->scene->unix_ms / 1000};
    if (t->recipients == 1) r.recipient = span_of(t->first, t->n_first);
    received_put(&b, &r);
    t->n_content = b.n;
    t->octets = b.n;
}

static unsigned cut(struct scene *scene, struct span whole, struct span *parts)
{
    size_t at = (size_t)roll(scene->dice, whole.n + 1);
    parts[0] = span_head(whole, at);
    parts[1] = span_skip(whole, at);
    return 2;
}

static void send_chunk(struct edge *e, struct session *s)
{
    struct transaction *t = s->transaction;
    struct span parts[2];
    unsigned n = cut(e->scene, span_of(t->content, t->n_content), parts);
    if (e->scene->sabotage == SABOTAGE_CHUNK && t->opened && roll(e->scene->dice, 3) == 0) {
        t->octets -= t->n_content;
        t->n_content = 0;
        return;
    }
    enum store_status status = store_chunk(e->scene->store, t->id, e->owner, parts, n);
    e->scene->numbers.chunks++;
    scene_note(e->scene, "chunk", t->id, status);
    t->opened = true;
    t->n_content = 0;
    if (status == STORE_PENDING || t->failed) return;
    t->failed = true;
    server_fail_content(&s->engine, 451, "4.3.0", "Message could not be stored, try again later");
}

static void on_body(struct edge *e, struct session *s, struct span octets)
{
    struct transaction *t = s->transaction;
    while (t && !t->failed && octets.n) {
        if (t->n_content == sizeof t->content) send_chunk(e, s);
        struct span part = span_head(octets, sizeof t->content - t->n_content);
        memcpy(t->content + t->n_content, part.p, part.n);
        t->n_content += part.n;
        t->octets += part.n;
        octets = span_skip(octets, part.n);
    }
    if (t && !t->failed && roll(e->scene->dice, 10) == 0) send_chunk(e, s);
}

static enum store_status commit(struct edge *e, struct transaction *t, uint64_t id)
{
    struct span parts[4];
    unsigned n = cut(e->scene, span_of(t->envelope, t->n_envelope), parts);
    n += cut(e->scene, span_of(t->content, t->n_content), parts + n);
    enum store_status status =
        store_commit(e->scene->store, id, e->owner, t->letter, parts, 2, n, t->octets, e->scene->unix_ms);
    scene_note(e->scene, "commit", id, status);
    return status;
}

static bool on_body_end(struct edge *e, struct transaction *t)
{
    struct letter *l = &e->scene->letters[t->letter];
    if (t->failed) return false;
    if (e->scene->sabotage == SABOTAGE_TWICE && !t->opened && roll(e->scene->dice, 4) == 0)
        (void)commit(e, t, e->last_id = message_id_next(e->last_id, 1, e->scene->unix_ms));
    l->id = t->id;
    enum store_status status = commit(e, t, t->id);
    t->opened = false; /* whatever the answer is */
    if (status != STORE_PENDING) {
        l->fate = FATE_REFUSED;
        return false;
    }
    l->fate = FATE_WAITING;
    t->committed = true;
    t->commit_ms = e->scene->mono_ms;
    if (e->scene->sabotage == SABOTAGE_EARLY) t->result = STORE_DURABLE;
    return true;
}

void edge_committed(struct edge *e, uint64_t token, uint64_t id, enum store_status status)
{
    struct letter *l = scene_letter(e->scene, token);
    scene_note(e->scene, "answer", id, status);
    if (l && l->fate == FATE_WAITING && l->id == id)
        l->fate = status == STORE_DURABLE ? FATE_STORED : FATE_REFUSED;
    else if (e->scene->sabotage == SABOTAGE_NONE)
        scene_wrong(e->scene, "answer %d for %llx, which did not wait", (int)status, (unsigned long long)id);
    struct transaction *t = transaction_of(e, id);
    if (!t) return;
    t->result = (uint8_t)status;
    if (!t->session) transaction_free(t);
}

/* RFC 5321 4.2.5: says what became of a commit, when it is known. False: it is not. */
static bool answer_commit(struct edge *e, struct session *s, struct buf *out)
{
    struct transaction *t = s->transaction;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    struct server_verdict v = refuse(451, "4.3.0", "Message could not be stored, try again later");
    bool late = e->scene->mono_ms - t->commit_ms >= LIMIT_COMMIT_SECONDS * 1000;
    if (t->result == NO_RESULT && !late) return false;
    if (t->result == STORE_DURABLE) {
        buf_str(&b, "queued as ");
        message_id_put(&b, t->id);
        v = (struct server_verdict){.code = 250, .enhanced = "2.0.0", .text = buf_span(&b)};
    } else if (t->result == STORE_FULL) {
        v = refuse(452, "4.3.1", "No space to store the message, try again later");
    }
    if (t->result == NO_RESULT)
        transaction_drop(e, s);
    else
        transaction_free(t);
    server_answer(&s->engine, e->scene->mono_ms, &v, out);
    return true;
}

/* Serves an ASK, or another event. False: the engine waits or is done. */
static bool act(struct edge *e, struct session *s, enum server_event event, const struct server_detail *d,
                struct buf *out)
{
    struct server_verdict v = {0};
    switch (event) {
    case SERVER_MAIL: v = on_mail(e, s, d); break;
    case SERVER_RCPT: v = on_rcpt(e, s, d); break;
    case SERVER_BODY_BEGIN: on_body_begin(e, s->transaction); break;
    case SERVER_BODY: on_body(e, s, d->body); return true;
    case SERVER_BODY_END:
        if (on_body_end(e, s->transaction)) return answer_commit(e, s, out);
        v = refuse(451, "4.3.0", "Message was not stored, try again later");
        transaction_drop(e, s);
        break;
    case SERVER_ABORT: transaction_drop(e, s); return true;
    case SERVER_CLOSE: s->closing = true; return false;
    default: return false;
    }
    server_answer(&s->engine, e->scene->mono_ms, &v, out);
    return true;
}

static void session_close(struct edge *e, struct session *s)
{
    struct transaction *t = s->transaction;
    if (e->scene->sabotage == SABOTAGE_RESET && t && !t->committed && t->octets && t->recipients)
        (void)on_body_end(e, t);
    transaction_drop(e, s);
    s->link->down.ended = true;
    s->link = NULL;
}

static size_t room(struct edge *e, struct session *s, size_t offered)
{
    size_t n = 1 + (size_t)roll(e->scene->dice, EDGE_CONTENT_OCTETS);
    return server_in_content(&s->engine) && n < offered ? n : offered;
}

/* Runs the engine over what has arrived. */
static void run(struct edge *e, struct session *s, struct buf *out)
{
    struct pipe *up = &s->link->up;
    if (s->transaction && s->transaction->committed && !answer_commit(e, s, out)) return;
    for (;;) {
        struct span inbox = pipe_inbox(up), window = span_head(inbox, room(e, s, inbox.n));
        size_t offered = window.n;
        struct server_detail d;
        enum server_event event = server_next(&s->engine, e->scene->mono_ms, &window, out, &d);
        up->read += offered - window.n;
        if (event == SERVER_FLUSH) {
            send_replies(s, buf_span(out));
            out->n = 0;
            if (s->n_unsent) return; /* a client that reads nothing is not served */
        } else if (event == SERVER_INPUT) {
            if (offered == inbox.n || offered == window.n) return;
        } else if (!act(e, s, event, &d, out)) {
            return;
        }
    }
}

static void note_complete(struct edge *e, const struct link *link)
{
    for (uint32_t i = 0; i < e->scene->n_letters; i++) {
        struct letter *l = &e->scene->letters[i];
        if (l->session == link->session && l->end_at && link->up.read >= l->end_at) l->complete = true;
    }
}

/* Nothing more comes from there, and nobody waits for an answer that could still be given. */
static bool left(const struct session *s)
{
    const struct pipe *up = &s->link->up;
    if (up->reset) return true;
    if (!up->ended || up->deaf || up->arrived != up->sent) return false;
    return s->n_unsent || !s->transaction || !s->transaction->committed;
}

void edge_serve(struct edge *e, struct link *link)
{
    uint8_t memory[2 * SERVER_REPLY_ROOM];
    struct buf out = buf_on(memory, sizeof memory);
    struct session *s = NULL;
    for (unsigned i = 0; i < EDGE_SESSIONS; i++)
        if (e->sessions[i].link == link) s = &e->sessions[i];
    if (!s) return;
    send_replies(s, (struct span){0});
    if (s->n_unsent == 0 && !s->closing) {
        run(e, s, &out);
        note_complete(e, link);
        send_replies(s, buf_span(&out));
    }
    if (left(s) || (s->closing && s->n_unsent == 0)) session_close(e, s);
}

static void deadline_passed(struct edge *e, struct session *s)
{
    uint8_t memory[SERVER_REPLY_ROOM];
    struct buf out = buf_on(memory, sizeof memory);
    enum server_event event = server_tick(&s->engine, e->scene->mono_ms, &out);
    if (event == SERVER_ABORT) {
        transaction_drop(e, s);
        event = server_tick(&s->engine, e->scene->mono_ms, &out);
    }
    if (event != SERVER_CLOSE) return;
    scene_note(e->scene, "deadline", s->link->session, s->n_unsent);
    if (s->n_unsent) { /* it does not read: it would not read the 421 either */
        link_reset(s->link, e->scene->dice);
        session_close(e, s);
        return;
    }
    s->closing = true;
    send_replies(s, buf_span(&out));
}

void edge_tick(struct edge *e)
{
    for (unsigned i = 0; i < EDGE_SESSIONS; i++) {
        struct session *s = &e->sessions[i];
        if (s->link && server_deadline(&s->engine) <= e->scene->mono_ms) deadline_passed(e, s);
    }
}

bool edge_has(const struct edge *e, const struct link *link)
{
    for (unsigned i = 0; i < EDGE_SESSIONS; i++)
        if (e->sessions[i].link == link) return true;
    return false;
}

void edge_spooler_lost(struct edge *e)
{
    for (unsigned i = 0; i < EDGE_TRANSACTIONS; i++) {
        struct transaction *t = &e->transactions[i];
        if (!t->used) continue;
        if (t->committed) {
            t->result = STORE_FAILED;
            if (!t->session) transaction_free(t);
        } else if (t->opened && !t->failed) {
            t->failed = true;
            server_fail_content(&t->session->engine, 451, "4.3.0",
                                "Message could not be stored, try again later");
        }
        t->opened = false;
    }
    e->owner++;
}

void edge_die(struct edge *e, bool power)
{
    for (unsigned i = 0; i < EDGE_SESSIONS; i++) {
        struct session *s = &e->sessions[i];
        if (!s->link) continue;
        note_complete(e, s->link);
        link_reset(s->link, e->scene->dice);
        s->link = NULL;
        s->transaction = NULL;
    }
    for (unsigned i = 0; i < EDGE_TRANSACTIONS; i++)
        e->transactions[i].used = false;
    if (power) store_abort_owner(e->scene->store, e->owner);
    e->owner++;
    e->last_id = 0;
}
