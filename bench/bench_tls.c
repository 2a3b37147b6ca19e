/* bench_tls: what a handshake costs the edge and the keyring, and what an idle session holds. Only the server's share is
 * counted: CPU time around its calls. The edge's figures are without the signature, which is the keyring's.
 *
 *   ninja -C build tests/unit/system/bench_tls && build/tests/unit/system/bench_tls [HANDSHAKES] */
#include "tls_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ARENA_OCTETS (256u << 20)
#define IDLE         500

static struct tls_keyring_here keyring = {.mood = KEYRING_DEFERRED};

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "bench_tls: %s\n", what);
    exit(1);
}

struct cost {
    double edge, keyring;
};

/* One handshake; what the edge and the keyring spent is added. */
static void handshake(struct tls_pair *p, struct cost *c)
{
    for (unsigned i = 0; i < 50 && !(p->result == TLS_DONE && p->client_done); i++) {
        if (!p->client_done) p->client_done = SSL_do_handshake(p->client) == 1;
        double t = cpu_us();
        if (p->result != TLS_DONE) p->result = tls_handshake(p->server);
        c->edge += cpu_us() - t;
        t = cpu_us();
        if (p->result == TLS_WANT_KEY) tls_keyring_here_answer(&keyring);
        c->keyring += cpu_us() - t;
    }
    must(p->result == TLS_DONE && p->client_done, "a handshake failed");
}

static void row(struct tls_context *context, const char *name, int version, const char *signatures,
                bool resume, int n)
{
    SSL_CTX *client = tls_client_context(version);
    SSL_CTX_set1_sigalgs_list(client, signatures);
    struct cost c = {0};
    SSL_SESSION *session = NULL;
    for (int i = 0; i < n; i++) {
        struct tls_pair p;
        must(tls_pair_open(&p, context, client, span_of(NULL, 0)), "no session");
        if (resume && session) SSL_set_session(p.client, session);
        struct cost one = {0};
        handshake(&p, &one);
        if (resume) {
            uint8_t octet;
            size_t put;
            must(tls_write(p.server, SPAN("x"), &put) == TLS_DONE && SSL_read(p.client, &octet, 1) == 1,
                 "no data");
            SSL_SESSION_free(session);
            session = SSL_get1_session(p.client);
            SSL_shutdown(p.client);
            if (i > 0) must(tls_resumed(p.server), "not resumed");
        }
        c.edge += one.edge;
        c.keyring += one.keyring;
        tls_pair_close(&p);
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    double edge = c.edge / n, key = c.keyring / n;
    printf("%-28s %9.0f %12.0f %9.0f %15.0f\n", name, edge, 1e6 / edge, key, 1e6 / (edge + key));
}

static void idle(struct tls_context *context, int version)
{
    static struct tls_pair p[IDLE];
    struct cost c = {0};
    SSL_CTX *client = tls_client_context(version);
    size_t before = tls_memory().used;
    for (unsigned i = 0; i < IDLE; i++) {
        must(tls_pair_open(&p[i], context, client, span_of(NULL, 0)), "no session");
        handshake(&p[i], &c);
        SSL_free(p[i].client);
        p[i].client = NULL;
    }
    printf("idle session, %s: %zu octets\n", version == TLS1_3_VERSION ? "TLS 1.3" : "TLS 1.2",
           (tls_memory().used - before) / IDLE);
    for (unsigned i = 0; i < IDLE; i++)
        tls_pair_close(&p[i]);
    SSL_CTX_free(client);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 500;
    static struct tls_material ec, rsa;
    char text[256];
    const char *error;
    struct buf problem = buf_on(text, sizeof text);
    must(n > 0 && tls_memory_init(ARENA_OCTETS), "no memory");
    tls_material_make(&ec, false, "DNS:a.example", 90);
    tls_material_make(&rsa, true, "DNS:a.example", 90);
    tls_keyring_here_add(&keyring, 0, &ec);
    tls_keyring_here_add(&keyring, 1, &rsa);
    struct tls_context *c = tls_context_create(SPAN("mx"));
    must(c && tls_context_add(c, ec.chain_pem, "ec", (struct tls_key_id){0, 0}, &problem) &&
             tls_context_add(c, rsa.chain_pem, "rsa", (struct tls_key_id){0, 1}, &problem),
         "no certificate");
    struct tls_ticket_keys k = {0};
    must(tls_ticket_rotate(&k) && tls_ticket_load(tls_ticket_memfd(&k)), "no ticket keys");
    tls_keyring_here(&keyring);
    double t = cpu_us();
    must(tls_warm_up(&c, 1, &error), "warm-up");
    printf("warm-up: %.1f ms\n", (cpu_us() - t) / 1e3);
    printf("%-28s %9s %12s %9s %15s\n", "", "edge us", "edge /s", "key us", "together /s");
    row(c, "TLS 1.3 ECDSA P-256", TLS1_3_VERSION, "ECDSA+SHA256", false, n);
    row(c, "TLS 1.3 RSA 2048", TLS1_3_VERSION, "rsa_pss_rsae_sha256", false, n);
    row(c, "TLS 1.2 ECDSA P-256", TLS1_2_VERSION, "ECDSA+SHA256", false, n);
    row(c, "TLS 1.2 RSA 2048", TLS1_2_VERSION, "rsa_pss_rsae_sha256", false, n);
    row(c, "TLS 1.3 resumed", TLS1_3_VERSION, "ECDSA+SHA256", true, n);
    row(c, "TLS 1.2 resumed", TLS1_2_VERSION, "ECDSA+SHA256", true, n);
    idle(c, TLS1_2_VERSION);
    idle(c, TLS1_3_VERSION);
    return 0;
}
