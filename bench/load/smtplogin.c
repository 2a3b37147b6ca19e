/* smtplogin: sessions that shake hands, log in and leave, as many as go, and beside them one that sends mail without any login.
 *
 *   smtplogin [options] ADDRESS:PORT        (TLS at once, as on port 465; whoever it is)
 *     -m none|plain|scram-sha-256   how to log in (none: the handshake, the greeting, and QUIT)      -u USER -p PASSWORD
 *     -c N  sessions at once        -n N  sessions in all, or -D SECONDS
 *     -r    resume the TLS session of the one before (each thread its own); else each is a full handshake
 *     -a ADDRESS:PORT -f FROM -t TO -g MS   meanwhile one client in the clear sends 2 KB messages, one a connection, MS apart
 *     -i    no logins: the client of -a alone, for -D seconds
 * One line of JSON: sessions a second, time of one session, own CPU; of the other client the time from connect to the reply to the end of data. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NONE, PLAIN, SCRAM };
static int method, resume, idle, concurrency = 8, gap_ms;
static long total;
static double seconds;
static const char *user = "", *password = "", *from = "a@bench.example", *to = "r@rcpt.example";
static struct sockaddr_in server, anonymous;
static SSL_CTX *context;
static atomic_long begun, done, failed, resumed, probe_failed;
static atomic_int stopping;
static char why[200];

struct times {
    double *ms;
    size_t n, max;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void note(struct times *t, double ms)
{
    if (t->n == t->max) t->ms = realloc(t->ms, (t->max = t->max ? 2 * t->max : 4096) * sizeof *t->ms);
    t->ms[t->n++] = ms;
}

static void *fail(const char *text)
{
    if (!why[0]) snprintf(why, sizeof why, "%.199s", text);
    return NULL;
}

struct line { /* a connection */
    int fd;
    SSL *ssl;
    char in[8192];
    size_t n;
};

static int put(struct line *l, const char *text, size_t n)
{
    while (n) {
        ssize_t k = l->ssl ? SSL_write(l->ssl, text, (int)n) : send(l->fd, text, n, MSG_NOSIGNAL);
        if (k <= 0) return 0;
        text += k;
        n -= (size_t)k;
    }
    return 1;
}

static int say(struct line *l, const char *text)
{
    return put(l, text, strlen(text));
}

/* A whole reply; its code, the last line in *last. */
static int hear(struct line *l, char last[4096])
{
    size_t used = 0;
    for (;;) {
        char *end = memchr(l->in + used, '\n', l->n - used);
        if (!end) {
            if (l->n == sizeof l->in) return 0;
            ssize_t k = l->ssl ? SSL_read(l->ssl, l->in + l->n, (int)(sizeof l->in - l->n)) : recv(l->fd, l->in + l->n, sizeof l->in - l->n, 0);
            if (k <= 0) return 0;
            l->n += (size_t)k;
            continue;
        }
        char *begin = l->in + used;
        size_t length = (size_t)(end - begin);
        used += length + 1;
        if (length < 4 || begin[3] == '-') continue;
        snprintf(last, 4096, "%.*s", (int)(length - (begin[length - 1] == '\r')), begin);
        memmove(l->in, l->in + used, l->n - used);
        l->n -= used;
        return atoi(last);
    }
}

static int dial(const struct sockaddr_in *a)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct timeval patience = {60, 0};
    struct linger reset = {1, 0}; /* no port waits in TIME_WAIT: tens of thousands of connections in a minute */
    if (fd < 0) return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (connect(fd, (const struct sockaddr *)a, sizeof *a) == 0) return fd;
    close(fd);
    return -1;
}

/* --- SCRAM-SHA-256: RFC 5802, RFC 7677 */

struct keys { /* of the last salt, so that the generator does not compute what the server does not */
    char salt_and_i[300];
    unsigned char client[32], stored[32], server[32];
};

static void base64(const void *from_, size_t n, char *ret)
{
    EVP_EncodeBlock((unsigned char *)ret, from_, (int)n);
}

static int unbase64(const char *text, unsigned char *ret)
{
    size_t n = strlen(text);
    int k = EVP_DecodeBlock(ret, (const unsigned char *)text, (int)n);
    while (n && text[n - 1] == '=')
        n--, k--;
    return k;
}

static void derive(struct keys *k, const char *salt64, int iterations)
{
    char name[300];
    unsigned char salt[300], salted[32];
    snprintf(name, sizeof name, "%s %d", salt64, iterations);
    if (strcmp(name, k->salt_and_i) == 0) return;
    strcpy(k->salt_and_i, name);
    PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, unbase64(salt64, salt), iterations, EVP_sha256(), 32, salted);
    HMAC(EVP_sha256(), salted, 32, (const unsigned char *)"Client Key", 10, k->client, NULL);
    HMAC(EVP_sha256(), salted, 32, (const unsigned char *)"Server Key", 10, k->server, NULL);
    EVP_Digest(k->client, 32, k->stored, NULL, EVP_sha256(), NULL);
}

static int log_in_scram(struct line *l, struct keys *k, char last[4096])
{
    unsigned char chance[18], proof[32], text[4096];
    char nonce[32], bare[256], message[4096], auth[8192], line[8192], proof64[64], expected[64];
    RAND_bytes(chance, sizeof chance);
    base64(chance, sizeof chance, nonce);
    snprintf(bare, sizeof bare, "n=%s,r=%s", user, nonce);
    snprintf(message, sizeof message, "n,,%s", bare);
    strcpy(line, "AUTH SCRAM-SHA-256 ");
    base64(message, strlen(message), line + strlen(line));
    strcat(line, "\r\n");
    if (!say(l, line) || hear(l, last) != 334) return 0;
    int n = unbase64(last + 4, text);
    if (n < 0) return 0;
    text[n] = 0;
    char both[512], salt[256];
    int iterations;
    if (sscanf((char *)text, "r=%500[^,],s=%250[^,],i=%d", both, salt, &iterations) != 3) return 0;
    derive(k, salt, iterations);
    snprintf(auth, sizeof auth, "%s,%s,c=biws,r=%s", bare, (char *)text, both);
    HMAC(EVP_sha256(), k->stored, 32, (unsigned char *)auth, strlen(auth), proof, NULL);
    for (int i = 0; i < 32; i++)
        proof[i] ^= k->client[i];
    base64(proof, 32, proof64);
    snprintf(message, sizeof message, "c=biws,r=%s,p=%s", both, proof64);
    base64(message, strlen(message), line);
    strcat(line, "\r\n");
    if (!say(l, line) || hear(l, last) != 334) return 0;
    HMAC(EVP_sha256(), k->server, 32, (unsigned char *)auth, strlen(auth), proof, NULL);
    base64(proof, 32, expected);
    n = unbase64(last + 4, text);
    return n > 2 && strncmp((char *)text + 2, expected, 44) == 0 && say(l, "\r\n") && hear(l, last) == 235;
}

static int log_in_plain(struct line *l, char last[4096])
{
    char message[512], line[1024] = "AUTH PLAIN ";
    int n = snprintf(message, sizeof message, "%c%s%c%s", 0, user, 0, password);
    base64(message, (size_t)n, line + strlen(line));
    strcat(line, "\r\n");
    return say(l, line) && hear(l, last) == 235;
}

/* --- one session */

static int talk(struct line *l, struct keys *k)
{
    char last[4096] = "";
    if (hear(l, last) != 220) return fail("no greeting") != NULL;
    if (method != NONE) {
        if (!say(l, "EHLO client.bench.example\r\n") || hear(l, last) != 250) return fail("EHLO") != NULL;
        if (!(method == PLAIN ? log_in_plain(l, last) : log_in_scram(l, k, last))) return fail(last[0] ? last : "AUTH") != NULL;
    }
    return say(l, "QUIT\r\n") && hear(l, last) == 221;
}

static int session(struct keys *k, SSL_SESSION **kept)
{
    struct line l = {.fd = dial(&server)};
    if (l.fd < 0) return fail("connect") != NULL;
    l.ssl = SSL_new(context);
    SSL_set_fd(l.ssl, l.fd);
    if (resume && *kept) SSL_set_session(l.ssl, *kept);
    int ok = SSL_connect(l.ssl) == 1;
    if (!ok) fail("TLS handshake");
    if (ok) {
        resumed += SSL_session_reused(l.ssl);
        ok = talk(&l, k);
    }
    if (ok && resume && !SSL_session_reused(l.ssl)) { /* a ticket came with the greeting; it stays good */
        SSL_SESSION_free(*kept);
        *kept = SSL_get1_session(l.ssl);
    }
    SSL_set_shutdown(l.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(l.ssl);
    close(l.fd);
    return ok;
}

static void *work(void *context_)
{
    struct times *t = context_;
    struct keys k = {.salt_and_i = ""};
    SSL_SESSION *kept = NULL;
    while (!stopping && (!total || atomic_fetch_add(&begun, 1) < total)) {
        double began = now();
        int ok = session(&k, &kept);
        note(t, (now() - began) * 1000);
        *(ok ? &done : &failed) += 1;
        if (!ok && failed > 100) break;
    }
    SSL_SESSION_free(kept);
    return NULL;
}

/* --- the other client */

static int send_one(void)
{
    static char content[2048];
    char last[4096], line[600];
    struct line l = {.fd = dial(&anonymous)};
    memset(content, 'x', sizeof content);
    for (size_t i = 78; i + 1 < sizeof content; i += 80)
        memcpy(content + i, "\r\n", 2);
    memcpy(content, "Subject: x\r\n\r\n", 14);
    int ok = l.fd >= 0 && hear(&l, last) == 220 && say(&l, "EHLO other.bench.example\r\n") && hear(&l, last) == 250;
    snprintf(line, sizeof line, "MAIL FROM:<%s>\r\n", from);
    ok = ok && say(&l, line) && hear(&l, last) == 250;
    snprintf(line, sizeof line, "RCPT TO:<%s>\r\n", to);
    ok = ok && say(&l, line) && hear(&l, last) == 250 && say(&l, "DATA\r\n") && hear(&l, last) == 354;
    ok = ok && put(&l, content, sizeof content) && say(&l, "\r\n.\r\n") && hear(&l, last) == 250;
    if (l.fd >= 0) close(l.fd);
    if (!ok) fail(last);
    return ok;
}

/* Its own turn for the processor is no part of what is measured: a short slice runs as soon as it wakes up (Linux 6.12). */
static void be_quick(void)
{
    struct {
        unsigned size, policy;
        unsigned long long flags;
        int nice;
        unsigned priority;
        unsigned long long runtime, deadline, period;
    } a = {.size = sizeof a, .runtime = 100000};
    (void)syscall(SYS_sched_setattr, 0, &a, 0);
}

static void *probe(void *context_)
{
    be_quick();
    while (!stopping) {
        double began = now();
        if (send_one())
            note(context_, (now() - began) * 1000);
        else
            probe_failed++;
        usleep((useconds_t)gap_ms * 1000);
    }
    return NULL;
}

/* --- result */

static int before(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void show(const char *name, struct times *t)
{
    qsort(t->ms, t->n, sizeof *t->ms, before);
    double p[3] = {0, 0, 0};
    if (t->n) p[0] = t->ms[t->n / 2], p[1] = t->ms[(size_t)((double)t->n * 0.99)], p[2] = t->ms[t->n - 1];
    printf("\"%s_n\":%zu,\"%s_p50_ms\":%.3f,\"%s_p99_ms\":%.3f,\"%s_max_ms\":%.3f,", name, t->n, name, p[0], name, p[1], name, p[2]);
}

static int address(const char *text, struct sockaddr_in *ret)
{
    char host[64];
    int port;
    *ret = (struct sockaddr_in){.sin_family = AF_INET};
    if (sscanf(text, "%63[^:]:%d", host, &port) != 2 || inet_pton(AF_INET, host, &ret->sin_addr) != 1) return 0;
    ret->sin_port = htons((unsigned short)port);
    return 1;
}

static int usage(void)
{
    fprintf(stderr, "smtplogin: see the head of bench/load/smtplogin.c\n");
    return 64;
}

int main(int argc, char **argv)
{
    int o;
    while ((o = getopt(argc, argv, "m:u:p:c:n:D:ra:f:t:g:i")) != -1) switch (o) {
        case 'm': method = strcmp(optarg, "plain") == 0 ? PLAIN : strcmp(optarg, "none") == 0 ? NONE : SCRAM; break;
        case 'u': user = optarg; break;
        case 'p': password = optarg; break;
        case 'c': concurrency = atoi(optarg); break;
        case 'n': total = atol(optarg); break;
        case 'D': seconds = atof(optarg); break;
        case 'r': resume = 1; break;
        case 'a':
            if (!address(optarg, &anonymous)) return usage();
            break;
        case 'f': from = optarg; break;
        case 't': to = optarg; break;
        case 'g': gap_ms = atoi(optarg); break;
        case 'i': idle = 1; break;
        default: return usage();
        }
    if (concurrency < 1 || concurrency > 1000 || (!idle && (optind == argc || !address(argv[optind], &server))) || (!total && seconds <= 0))
        return usage();
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* else a ticket that was used is thrown away */
    pthread_t threads[1000], other;
    struct times times[1000] = {{0}}, all = {0}, probes = {0};
    double start = now();
    if (anonymous.sin_port) pthread_create(&other, NULL, probe, &probes);
    for (int i = 0; i < concurrency && !idle; i++)
        pthread_create(&threads[i], NULL, work, &times[i]);
    if (!total) {
        usleep((useconds_t)(seconds * 1e6));
        stopping = 1;
    }
    for (int i = 0; i < concurrency && !idle; i++) {
        pthread_join(threads[i], NULL);
        for (size_t k = 0; k < times[i].n; k++)
            note(&all, times[i].ms[k]);
    }
    double took = now() - start;
    stopping = 1;
    if (anonymous.sin_port) pthread_join(other, NULL);
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    double cpu = (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
    printf("{\"ok\":%ld,\"failed\":%ld,\"seconds\":%.3f,\"per_s\":%.1f,\"resumed\":%ld,\"own_cpu_s\":%.3f,", (long)done, (long)failed, took, (double)done / took,
           (long)resumed, cpu);
    show("session", &all);
    show("probe", &probes);
    printf("\"probe_failed\":%ld,\"why\":\"", (long)probe_failed);
    for (char *p = why; *p; p++)
        putchar(*p < ' ' || *p == '"' || *p == '\\' ? '?' : *p);
    printf("\"}\n");
    return failed || probe_failed ? 1 : 0;
}
