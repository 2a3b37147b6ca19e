#include "system/tls_private.h"

#include "base/wire.h"
#include "system/tls_arena.h"
#include "system/tls_ticket.h"
#include <openssl/async.h>
#include <openssl/err.h>

#define NO_SLOT UINT16_MAX

/* Handshakes in progress: each has a slot, whose number is the lower part of the id of its question. */
static struct {
    struct {
        struct tls *session;
        uint64_t id; /* of the question that is open */
    } slot[LIMIT_TLS_HANDSHAKES_MAX];
    unsigned limit, in_progress, first_free; /* no free slot lies below first_free */
    uint64_t questions;
    tls_ask_fn *ask;
    void *ask_context;
    struct tls *now; /* whose handshake is being driven */
    bool arena;
} process = {.limit = LIMIT_TLS_HANDSHAKES_DEFAULT};

static void *memory_take(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return tls_arena_take(n);
}

static void *memory_resize(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return tls_arena_resize(p, n);
}

static void memory_give(void *p, const char *file, int line)
{
    (void)file, (void)line;
    tls_arena_give(p);
}

bool tls_memory_init(size_t max_octets)
{
    if (process.arena || !tls_arena_map(max_octets)) return false;
    process.arena = CRYPTO_set_mem_functions(memory_take, memory_resize, memory_give) == 1;
    if (!process.arena) tls_arena_unmap();
    return process.arena;
}

struct tls_memory tls_memory(void)
{
    struct tls_arena_count c = tls_arena_count();
    return (struct tls_memory){c.used, c.peak, c.max, c.refused};
}

size_t tls_memory_trim(void)
{
    return tls_arena_trim();
}

void tls_keyring_swap(tls_ask_fn *ask, void *context, tls_ask_fn **old, void **old_context)
{
    if (old) *old = process.ask;
    if (old_context) *old_context = process.ask_context;
    process.ask = ask;
    process.ask_context = context;
}

void tls_keyring(tls_ask_fn *ask, void *context)
{
    tls_keyring_swap(ask, context, NULL, NULL);
}

bool tls_async_prepare(void)
{
    ASYNC_cleanup_thread();
    return ASYNC_init_thread(process.limit, 0) == 1;
}

void tls_handshakes_limit(unsigned n)
{
    process.limit = n < 1 ? 1 : n > LIMIT_TLS_HANDSHAKES_MAX ? LIMIT_TLS_HANDSHAKES_MAX : n;
}

bool tls_can_start(void)
{
    struct tls_arena_count c = tls_arena_count();
    bool room = !process.arena || c.max - c.chunks * TLS_ARENA_CHUNK_OCTETS > c.max / 8;
    return process.in_progress < process.limit && room;
}

static uint16_t slot_take(struct tls *t)
{
    for (unsigned i = process.first_free; i < process.limit; i++) {
        if (process.slot[i].session) continue;
        process.slot[i].session = t;
        process.slot[i].id = 0;
        process.first_free = i + 1;
        process.in_progress++;
        return (uint16_t)i;
    }
    return NO_SLOT;
}

static void slot_give(struct tls *t)
{
    if (t->slot == NO_SLOT) return;
    process.slot[t->slot].session = NULL;
    if (t->slot < process.first_free) process.first_free = t->slot;
    process.in_progress--;
    t->slot = NO_SLOT;
}

static bool preread_keep(struct tls *t, struct span preread)
{
    if (preread.n == 0) return true;
    if (preread.n > LIMIT_TLS_PREREAD_OCTETS) return false;
    t->preread = OPENSSL_memdup(preread.p, preread.n);
    t->preread_n = (uint32_t)preread.n;
    return t->preread != NULL;
}

struct tls *tls_open(SSL_CTX *rules, int fd, void *owner)
{
    if (!tls_can_start()) return NULL;
    ERR_clear_error();
    struct tls *t = OPENSSL_zalloc(sizeof *t);
    if (!t) return NULL;
    t->fd = fd;
    t->owner = owner;
    t->reason = "";
    t->slot = slot_take(t);
    t->ssl = SSL_new(rules);
    if (t->slot == NO_SLOT || !t->ssl || !tls_bio_attach(t) || SSL_set_app_data(t->ssl, t) != 1) tls_free(&t);
    return t;
}

struct tls *tls_create(struct tls_context *c, int fd, struct span preread, void *owner)
{
    struct tls *t = tls_open(c->ssl, fd, owner);
    if (!t) return NULL;
    t->context = c;
    c->references++;
    if (!preread_keep(t, preread)) {
        tls_free(&t);
        return NULL;
    }
    SSL_set_accept_state(t->ssl);
    SSL_set_mode(t->ssl, SSL_MODE_ASYNC);
    if (!tls_ticket_current()) {
        SSL_set_options(t->ssl, SSL_OP_NO_TICKET);
        SSL_set_num_tickets(t->ssl, 0);
    }
    return t;
}

void *tls_owner(const struct tls *t)
{
    return t->owner;
}

static void signature_drop(struct tls *t)
{
    if (t->signature) OPENSSL_clear_free(t->signature, t->signature_n);
    t->signature = NULL;
    t->signature_n = 0;
}

void tls_free(struct tls **session)
{
    struct tls *t = *session;
    if (!t) return;
    *session = NULL;
    t->silent = true;
    if (t->paused) {
        /* The paused job holds a stack: let it run to its end, without a signature and without a word to the peer. */
        t->key = KEY_REFUSED;
        process.now = t;
        SSL_do_handshake(t->ssl);
        process.now = NULL;
    }
    slot_give(t);
    SSL_free(t->ssl);
    signature_drop(t);
    OPENSSL_free(t->preread);
    if (t->context) tls_context_release(t->context);
    OPENSSL_free(t);
    ERR_clear_error();
}

/* --- the keyring --- */

static bool key_question(struct tls *t, struct tls_key_id key, enum sign_scheme scheme, struct span digest)
{
    uint8_t octets[SIGN_QUESTION_OCTETS_MAX];
    struct buf b = buf_on(octets, sizeof octets);
    struct sign_question q = {++process.questions << 16 | t->slot, key, scheme, digest};
    sign_question_put(&b, &q);
    if (b.over || !process.ask) return false;
    process.slot[t->slot].id = q.id;
    t->key = KEY_ASKED;
    if (process.ask(process.ask_context, buf_span(&b))) return true;
    t->key = KEY_REFUSED;
    return false;
}

size_t tls_key_ask(struct tls_key_id id, enum sign_scheme scheme, struct span digest, uint8_t *signature,
                   size_t max)
{
    struct tls *t = process.now;
    if (!t || t->slot == NO_SLOT) return 0;
    if (!key_question(t, id, scheme, digest)) {
        t->reason = "the keyring cannot be asked";
        return 0;
    }
    while (t->key == KEY_ASKED) {
        t->paused = ASYNC_get_current_job() != NULL;
        if (!t->paused || ASYNC_pause_job() != 1) t->key = KEY_REFUSED;
        t->paused = false;
    }
    size_t n = 0;
    if (t->key == KEY_ANSWERED && t->signature_n <= max) {
        n = t->signature_n;
        memcpy(signature, t->signature, n);
    } else {
        t->reason = "the keyring refused to sign";
    }
    signature_drop(t);
    t->key = KEY_IDLE;
    return n;
}

struct tls *tls_key_answer(struct span answer, bool *bad)
{
    struct sign_answer a;
    *bad = !sign_answer_read(answer, &a);
    if (*bad) return NULL;
    unsigned slot = (unsigned)(a.id & 0xffff);
    struct tls *t = slot < LIMIT_TLS_HANDSHAKES_MAX ? process.slot[slot].session : NULL;
    if (!t || t->key != KEY_ASKED || process.slot[slot].id != a.id) return NULL;
    t->key = KEY_REFUSED;
    if (a.status == SIGN_OK) {
        t->signature = OPENSSL_memdup(a.signature.p, a.signature.n);
        t->signature_n = t->signature ? (uint16_t)a.signature.n : 0;
        if (t->signature) t->key = KEY_ANSWERED;
    }
    return t;
}

struct tls *tls_key_lost(void)
{
    for (unsigned i = 0; i < LIMIT_TLS_HANDSHAKES_MAX; i++) {
        struct tls *t = process.slot[i].session;
        if (!t || t->key != KEY_ASKED) continue;
        t->key = KEY_REFUSED;
        return t;
    }
    return NULL;
}

/* --- a session --- */

static const char *failure_text(const struct tls *t, unsigned long code)
{
    if (code && ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) return "out of memory";
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return X509_verify_cert_error_string(SSL_get_verify_result(t->ssl)); /* what was wrong with it */
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    return text ? text : t->eof ? "the peer closed the connection" : "the connection broke";
}

static enum tls_result session_failed(struct tls *t)
{
    if (t->reason[0] == '\0') t->reason = failure_text(t, ERR_peek_error());
    ERR_clear_error();
    t->state = TLS_STATE_FAILED;
    slot_give(t);
    return TLS_FAILED;
}

static enum tls_result session_result(struct tls *t, int returned)
{
    switch (SSL_get_error(t->ssl, returned)) {
    case SSL_ERROR_WANT_READ: return t->blocked ? TLS_WANT_READ : TLS_AGAIN;
    case SSL_ERROR_WANT_WRITE: return TLS_WANT_WRITE;
    case SSL_ERROR_WANT_ASYNC: return t->state == TLS_STATE_HANDSHAKE ? TLS_WANT_KEY : session_failed(t);
    default: return session_failed(t);
    }
}

static void session_enter(struct tls *t)
{
    ERR_clear_error();
    t->reads = 0;
    t->blocked = false;
    process.now = t;
}

/* Which of our certificates the client has seen. A resumed session saw it in an earlier one: it is known where there is only one for that name. */
static X509 *certificate_shown(const struct tls *t)
{
    const struct tls_certificate *chosen[KEY_KIND_COUNT];
    if (!t->context) return NULL;
    if (SSL_session_reused(t->ssl) == 0) return SSL_get_certificate(t->ssl);
    tls_context_select(t->context, tls_server_name(t), chosen);
    if (chosen[KEY_KIND_EC] && chosen[KEY_KIND_RSA]) return NULL;
    const struct tls_certificate *one = chosen[KEY_KIND_EC] ? chosen[KEY_KIND_EC] : chosen[KEY_KIND_RSA];
    return one ? one->chain.leaf : NULL;
}

static void handshake_done(struct tls *t)
{
    t->state = TLS_STATE_OPEN;
    t->shown = certificate_shown(t);
    SSL_clear_mode(t->ssl, SSL_MODE_ASYNC);
    SSL_certs_clear(t->ssl); /* an idle session needs no certificate */
    slot_give(t);
}

enum tls_result tls_handshake(struct tls *t)
{
    if (t->state == TLS_STATE_OPEN) return TLS_DONE;
    if (t->state != TLS_STATE_HANDSHAKE) return TLS_FAILED;
    if (t->key == KEY_ASKED) return TLS_WANT_KEY;
    session_enter(t);
    int r = SSL_do_handshake(t->ssl);
    process.now = NULL;
    if (r != 1) return session_result(t, r);
    handshake_done(t);
    return TLS_DONE;
}

static enum tls_result read_ended(struct tls *t, int r)
{
    int error = SSL_get_error(t->ssl, r);
    if (error == SSL_ERROR_ZERO_RETURN) {
        t->state = TLS_STATE_EOF_CLEAN;
        return TLS_EOF_CLEAN;
    }
    unsigned long code = ERR_peek_error();
    bool cut = error == SSL_ERROR_SSL && ERR_GET_LIB(code) == ERR_LIB_SSL &&
               ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    if (cut || (error == SSL_ERROR_SYSCALL && code == 0)) {
        /* End of file or a reset: whoever cut the connection, the stream is not whole (RFC 8446 6.1) */
        t->state = TLS_STATE_EOF_TRUNCATED;
        t->reason = "the stream ended without close_notify";
        ERR_clear_error();
        return TLS_EOF_TRUNCATED;
    }
    return session_result(t, r);
}

enum tls_result tls_read(struct tls *t, void *p, size_t max, size_t *n)
{
    *n = 0;
    if (t->state == TLS_STATE_EOF_CLEAN) return TLS_EOF_CLEAN;
    if (t->state == TLS_STATE_EOF_TRUNCATED) return TLS_EOF_TRUNCATED;
    if (t->state != TLS_STATE_OPEN || max == 0) return TLS_FAILED;
    session_enter(t);
    enum tls_result result;
    unsigned tries = 0; /* a record without data (a key update, a ticket) ends a call of OpenSSL */
    do {
        int r = SSL_read_ex(t->ssl, p, max, n);
        result = r == 1 ? TLS_DONE : read_ended(t, r);
    } while (result == TLS_AGAIN && ++tries < LIMIT_TLS_TURN_READS);
    process.now = NULL;
    return result;
}

enum tls_result tls_write(struct tls *t, struct span s, size_t *n)
{
    *n = 0;
    if (s.n == 0) return TLS_DONE;
    if (t->state != TLS_STATE_OPEN && t->state != TLS_STATE_EOF_CLEAN) return TLS_FAILED;
    session_enter(t);
    int r = SSL_write_ex(t->ssl, s.p, s.n, n);
    process.now = NULL;
    return r == 1 ? TLS_DONE : session_result(t, r);
}

enum tls_result tls_shutdown(struct tls *t)
{
    if (t->state != TLS_STATE_OPEN && t->state != TLS_STATE_EOF_CLEAN) return TLS_FAILED;
    session_enter(t);
    int r = SSL_shutdown(t->ssl);
    process.now = NULL;
    if (r >= 0) {
        ERR_clear_error();
        return TLS_DONE;
    }
    return session_result(t, r);
}

const char *tls_version(const struct tls *t)
{
    return t->state == TLS_STATE_HANDSHAKE || !t->ssl ? "" : SSL_get_version(t->ssl);
}

const char *tls_cipher(const struct tls *t)
{
    const char *name = t->state == TLS_STATE_HANDSHAKE ? NULL : SSL_get_cipher_name(t->ssl);
    return name ? name : "";
}

bool tls_resumed(const struct tls *t)
{
    return t->state != TLS_STATE_HANDSHAKE && SSL_session_reused(t->ssl) == 1;
}

struct span tls_server_name(const struct tls *t)
{
    return span_str(SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name));
}

const char *tls_reason(const struct tls *t)
{
    return t->reason;
}
