#include "cmd/send.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cmd/complain.h"
#include "cmd/smtp_client.h"
#include "mail/received.h"
#include "smtp/path.h"

enum { TO_MAX = 1000, READ_OCTETS = 65536 };

struct input { /* the message as it grows; CRLF line ends */
    uint8_t *p;
    size_t n, room;
    uint8_t last;
};

static bool input_reserve(struct input *m, size_t octets)
{
    if (octets > LIMIT_MESSAGE_OCTETS_MAX - m->n) return false;
    if (m->n + octets <= m->room) return true;
    size_t room = m->room ? m->room : READ_OCTETS;
    while (room < m->n + octets)
        room *= 2;
    uint8_t *p = realloc(m->p, room);
    if (!p) return false;
    m->p = p;
    m->room = room;
    return true;
}

/* A text's LF becomes CRLF (RFC 5321 2.3.8); a CRLF stays, and so does a CR alone: the server's word on that counts. */
static bool input_add(struct input *m, struct span s)
{
    if (!input_reserve(m, 2 * s.n)) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n' && m->last != '\r') m->p[m->n++] = '\r';
        m->p[m->n++] = m->last = s.p[i];
    }
    return true;
}

/* "Name:" at the start of s, RFC 5322 3.6.8. */
static bool begins_with_field(struct span s)
{
    size_t i = 0;
    while (i < s.n && s.p[i] > 32 && s.p[i] < 127 && s.p[i] != ':')
        i++;
    return i > 0 && i < s.n && s.p[i] == ':';
}

/* RFC 5322 3.6: a text without a header gets the fields that a message must have, and a few that people expect. */
static bool input_head(struct input *m, const struct smtp_client_job *j)
{
    char memory[4096];
    struct buf b = buf_on(memory, sizeof memory);
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random) return false;
    buf_str(&b, "From: <");
    buf_str(&b, j->from);
    buf_str(&b, ">\r\nTo: <");
    buf_str(&b, j->to[0]);
    buf_str(&b, ">\r\nSubject: a message from sallyport send\r\nDate: ");
    date_put(&b, (uint64_t)time(NULL));
    buf_str(&b, "\r\nMessage-ID: <");
    buf_hex64(&b, random);
    buf_byte(&b, '@');
    buf_str(&b, j->helo);
    buf_str(&b, ">\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
                "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
    return !b.over && input_add(m, buf_span(&b));
}

static bool input_read(struct input *m, int fd, const struct smtp_client_job *j)
{
    uint8_t memory[READ_OCTETS];
    bool first = true;
    for (;;) {
        ssize_t n = read(fd, memory, sizeof memory);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        struct span piece = {memory, (size_t)n};
        if (first && !begins_with_field(piece) && !input_head(m, j)) return false;
        first = false;
        if (n == 0) return true;
        if (!input_add(m, piece)) {
            errno = EFBIG;
            return false;
        }
    }
}

static bool good_path(const char *text, unsigned flags)
{
    char memory[LIMIT_PATH_OCTETS + 8];
    struct buf b = buf_on(memory, sizeof memory);
    struct path path;
    struct span rest;
    buf_byte(&b, '<');
    buf_str(&b, text);
    buf_byte(&b, '>');
    return !b.over && path_parse(buf_span(&b), flags | PATH_ALLOW_UTF8, &path, &rest) == PATH_OK &&
           rest.n == 0;
}

static bool good_helo(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (name[i] <= 32 || name[i] > 126) return false;
    return n > 0 && n <= LIMIT_DOMAIN_OCTETS;
}

struct options {
    struct smtp_client_job job;
    const char *server, *file;
    const char *to[TO_MAX];
    char host[256], port[8], helo[256];
};

static int read_options(struct options *o, struct command_call *v)
{
    static const struct option names[] = {
        {"server", required_argument, NULL, 's'}, {"tls", required_argument, NULL, 't'},
        {"insecure", no_argument, NULL, 'i'},     {"ca", required_argument, NULL, 'c'},
        {"name", required_argument, NULL, 'n'},   {"helo", required_argument, NULL, 'h'},
        {"from", required_argument, NULL, 'f'},   {"to", required_argument, NULL, 'r'},
        {"file", required_argument, NULL, 'F'},   {"chunking", no_argument, NULL, 'b'},
        {"verbose", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};
    int letter;
    optind = 1;
    opterr = 0; /* we complain ourselves */
    while ((letter = getopt_long(v->argc, v->argv, ":v", names, NULL)) != -1) {
        switch (letter) {
        case 's': o->server = optarg; break;
        case 'i': o->job.tls.insecure = true; break;
        case 'c': o->job.tls.ca_file = optarg; break;
        case 'n': o->job.tls.name = optarg; break;
        case 'h': o->job.helo = optarg; break;
        case 'f': o->job.from = optarg; break;
        case 'F': o->file = optarg; break;
        case 'b': o->job.chunking = true; break;
        case 'v': o->job.verbose = true; break;
        case 't':
            if (strcmp(optarg, "starttls") == 0)
                o->job.mode = SMTP_CLIENT_STARTTLS;
            else if (strcmp(optarg, "implicit") == 0)
                o->job.mode = SMTP_CLIENT_IMPLICIT;
            else if (strcmp(optarg, "none") != 0)
                return command_usage(v, "--tls is starttls, implicit or none", optarg);
            break;
        case 'r':
            if (o->job.n_to == TO_MAX) return command_usage(v, "too many recipients", NULL);
            o->to[o->job.n_to++] = optarg;
            break;
        case ':': return command_usage(v, "needs a value", v->argv[optind - 1]);
        default: return command_usage(v, "unknown option", v->argv[optind - 1]);
        }
    }
    return optind == v->argc ? 0 : command_usage(v, "takes no argument", v->argv[optind]);
}

static int check_options(struct options *o, struct command_call *v)
{
    struct smtp_client_job *j = &o->job;
    if (!o->server || !j->from || j->n_to == 0)
        return command_usage(v, "--server HOST:PORT, --from and --to are needed", NULL);
    if (!dial_split(o->server, o->host, o->port)) return command_usage(v, "--server is HOST:PORT", o->server);
    if (!good_path(j->from, PATH_ALLOW_NULL)) return command_usage(v, "--from is no address", j->from);
    for (unsigned i = 0; i < j->n_to; i++)
        if (!good_path(o->to[i], PATH_ALLOW_POSTMASTER))
            return command_usage(v, "--to is no address", o->to[i]);
    if (!j->helo) {
        if (gethostname(o->helo, sizeof o->helo - 1) != 0 || !good_helo(o->helo))
            return command_usage(v, "--helo is needed", NULL);
        j->helo = o->helo;
    }
    if (!good_helo(j->helo)) return command_usage(v, "--helo is no name", j->helo);
    j->host = o->host;
    j->port = o->port;
    j->to = o->to;
    if (!j->tls.name) j->tls.name = o->host;
    return 0;
}

static const int exit_code[] = {
    [SMTP_CLIENT_SENT] = EX_OK,
    [SMTP_CLIENT_PARTLY] = EX_UNAVAILABLE,
    [SMTP_CLIENT_REFUSED] = EX_UNAVAILABLE,
    [SMTP_CLIENT_DEFERRED] = EX_TEMPFAIL,
    [SMTP_CLIENT_ABSENT] = EX_UNAVAILABLE,
    [SMTP_CLIENT_FOREIGN] = EX_PROTOCOL,
};

static void print_json(const struct smtp_client_result *r)
{
    char reply_memory[6 * sizeof r->reply], why_memory[6 * 256];
    struct buf reply = buf_on(reply_memory, sizeof reply_memory), why = buf_on(why_memory, sizeof why_memory);
    buf_json(&reply, span_str(r->reply), sizeof r->reply);
    buf_json(&why, span_str(r->why ? r->why : ""), 250);
    printf("{\"outcome\":\"%s\",\"exit\":%d,\"accepted\":%u,\"refused\":%u,\"deferred\":%u,\"code\":%u,"
           "\"reply\":\"%.*s\","
           "\"problem\":\"%.*s\"}\n",
           smtp_client_outcome_name(r->outcome), exit_code[r->outcome], r->accepted, r->refused, r->deferred,
           r->code, SPAN_ARG(buf_span(&reply)), SPAN_ARG(buf_span(&why)));
}

int command_send(struct command_call *v)
{
    static struct options o;
    struct input message = {.last = 0};
    int status = read_options(&o, v);
    if (status == 0) status = check_options(&o, v);
    if (status != 0) return status;
    bool from_file = o.file && strcmp(o.file, "-") != 0;
    int fd = from_file ? open(o.file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (fd < 0 || !input_read(&message, fd, &o.job)) {
        complain(EX_DATAERR, "%s: %s", from_file ? o.file : "standard input", strerror(errno));
        free(message.p);
        return EX_DATAERR;
    }
    if (from_file) close(fd);
    o.job.message = (struct span){message.p, message.n};
    struct smtp_client_result result;
    smtp_client_send(&o.job, &result);
    free(message.p);
    if (v->json)
        print_json(&result);
    else if (result.outcome <= SMTP_CLIENT_PARTLY)
        puts(result.reply);
    return fflush(stdout) == 0 ? exit_code[result.outcome] : EXIT_NO;
}
