/* Users of other programs, a line each. The name, then a TAB, colon or comma, then the secret: of our own text file of before (TAB
 * verifier TAB), htpasswd(1) and passwd(5) (NAME:HASH), Dovecot's passwd-file (NAME:{SCHEME}SECRET:...), or NAME,HASH. */
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/hex.h"
#include "cmd/complain.h"
#include "cmd/user_private.h"
#include "cmd/user_rights.h"
#include "directory/mailbox_name.h"
#include "directory/recipients.h"
#include "service/config_load.h"

enum { WRONG_SHOWN = 20, LINES_A_NOTE = 50 };

struct hashed { /* what was made of a password in clear, on that line */
    uint32_t line;
    struct change_secrets secrets;
};

/* The lines are read twice: without a transaction, where what is wrong is found and passwords are hashed (each costs some milliseconds, and who
 * has a transaction keeps the server and everybody else from writing); then in one, where nothing is slow. */
struct import {
    struct user_call *u;
    const char *file;
    bool adds;             /* the second time */
    struct hashed *hashed; /* by line */
    size_t n_hashed, room, used;
    uint32_t lines; /* of the file */
    uint32_t line, rights, added, known, wrong, no_scram;
};

typedef const char *read_secret_fn(struct import *m, struct span secret,
                                   struct change_secrets *ret); /* null, or what is wrong */

/* --- secrets by their scheme */

static const char *read_crypt(struct import *m, struct span secret, struct change_secrets *ret)
{
    (void)m;
    if (!secret_verifier_known(secret))
        return "this system's crypt(5) does not know that kind of hash: the user needs a new password";
    memcpy(ret->verifier, secret.p, secret.n);
    ret->verifier[secret.n] = 0;
    return NULL;
}

/* Null: no memory. */
static struct hashed *room_for(struct import *m)
{
    if (m->n_hashed == m->room) {
        size_t room = m->room ? m->room * 2 : 256;
        struct hashed *larger = calloc(room, sizeof *larger);
        if (!larger) return NULL;
        if (m->hashed) {
            memcpy(larger, m->hashed, m->n_hashed * sizeof *larger);
            explicit_bzero(m->hashed, m->n_hashed * sizeof *larger);
            free(m->hashed);
        }
        m->hashed = larger;
        m->room = room;
    }
    return &m->hashed[m->n_hashed];
}

static const char *read_plain(struct import *m, struct span secret, struct change_secrets *ret)
{
    const char *why = NULL;
    if (secret.n == 0)
        return "the password is empty: with no scheme either it is an account that cannot log in";
    while (m->adds && m->used < m->n_hashed && m->hashed[m->used].line < m->line)
        m->used++;
    if (m->used < m->n_hashed && m->hashed[m->used].line == m->line) {
        *ret = m->hashed[m->used].secrets;
        return NULL;
    }
    if (!user_make_secrets(m->u, secret, !m->u->dry_run, ret, &why)) return why;
    if (m->adds) return NULL; /* somebody was removed meanwhile */
    struct hashed *h = room_for(m);
    if (!h) return "no memory";
    *h = (struct hashed){m->line, *ret};
    m->n_hashed++;
    return NULL;
}

static const char *read_scram(struct span secret, struct secret_scram *ret, uint8_t key_octets)
{
    uint64_t iterations = 0;
    struct buf parts[] = {buf_on(ret->salt, sizeof ret->salt),
                          buf_on(ret->stored_key, sizeof ret->stored_key),
                          buf_on(ret->server_key, sizeof ret->server_key)};
    struct span one = span_head(secret, span_find(secret, ','));
    bool good = span_u64(one, &iterations) && iterations >= 4096 && iterations <= LIMIT_SCRAM_ITERATIONS_MAX;

    for (size_t i = 0; good && i < 3; i++) {
        secret = span_skip(secret, one.n + 1);
        one = span_head(secret, span_find(secret, ','));
        good = base64_decode(one, &parts[i]) && !parts[i].over;
    }
    if (!good || parts[0].n < 8 || parts[1].n != key_octets || parts[2].n != key_octets)
        return "write ITERATIONS,SALT,STORED-KEY,SERVER-KEY, the last three in base64, at least 4096 "
               "iterations";
    ret->iterations = (uint32_t)iterations;
    ret->salt_octets = (uint8_t)parts[0].n;
    ret->key_octets = key_octets;
    return NULL;
}

static const char *read_scram_256(struct import *m, struct span secret, struct change_secrets *ret)
{
    (void)m;
    return read_scram(secret, &ret->scram_256, 32);
}

static const char *read_scram_1(struct import *m, struct span secret, struct change_secrets *ret)
{
    (void)m;
    return read_scram(secret, &ret->scram_1, 20);
}

static const char *read_nt(struct import *m, struct span secret, struct change_secrets *ret)
{
    struct buf b = buf_on(ret->nt, sizeof ret->nt);
    (void)m;
    ret->has_nt = hex_decode(secret, &b) && !b.over && b.n == sizeof ret->nt;
    return ret->has_nt ? NULL : "write 32 hexadecimal digits";
}

/* Dovecot has the outer context first. */
static const char *read_cram(struct import *m, struct span secret, struct change_secrets *ret)
{
    uint8_t memory[32];
    struct buf b = buf_on(memory, sizeof memory);
    (void)m;
    ret->has_cram = hex_decode(secret, &b) && !b.over && b.n == sizeof memory;
    if (!ret->has_cram) return "write 64 hexadecimal digits";
    memcpy(ret->cram, memory + 16, 16);
    memcpy(ret->cram + 16, memory, 16);
    return NULL;
}

static const struct {
    struct span name;
    read_secret_fn *read;
} schemes[] = {
    {SPAN("CRYPT"), read_crypt},
    {SPAN("BLF-CRYPT"), read_crypt},
    {SPAN("SHA512-CRYPT"), read_crypt},
    {SPAN("SHA256-CRYPT"), read_crypt},
    {SPAN("PLAIN"), read_plain},
    {SPAN("CLEARTEXT"), read_plain},
    {SPAN("SCRAM-SHA-256"), read_scram_256},
    {SPAN("SCRAM-SHA-1"), read_scram_1},
    {SPAN("NTLM"), read_nt},
    {SPAN("CRAM-MD5"), read_cram},
};

static const char *read_secret(struct import *m, struct span secret, struct change_secrets *ret)
{
    if (secret.n == 0 || secret.p[0] == '!' || secret.p[0] == '*' || span_eq(secret, SPAN("x")))
        return NULL; /* no password */
    if (secret.p[0] == '$') return read_crypt(m, secret, ret);
    if (secret.p[0] != '{') return "a password in clear is written {PLAIN}password";
    struct span name = span_head(span_skip(secret, 1), span_find(span_skip(secret, 1), '}'));
    if (name.n + 1 == secret.n) return "the scheme has no end: write {SCHEME}secret";
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (span_eq_nocase(name, schemes[i].name))
            return schemes[i].read(m, span_skip(secret, name.n + 2), ret);
    return "that scheme is not known: the user needs a new password";
}

/* --- lines */

/* Name and secret. False: one field. */
static bool split(struct span line, struct span *name, struct span *secret)
{
    static const char separators[] = "\t:,";
    size_t at = SPAN_NPOS;
    const char *s = separators;
    for (; *s && at == SPAN_NPOS; s++)
        at = span_find(line, (uint8_t)*s);
    if (at == SPAN_NPOS) return false;
    *name = span_head(line, at);
    *secret = span_skip(line, at + 1);
    if (line.p[at] != ',') *secret = span_head(*secret, span_find(*secret, line.p[at]));
    return true;
}

static bool has_any(const struct change_secrets *s)
{
    return s->verifier[0] || s->has_nt || s->has_cram || s->scram_1.key_octets;
}

static const char *add(struct import *m, struct span name, const struct change_secrets *secrets)
{
    struct identity *i = m->u->identity;
    uint32_t number;
    if (!m->adds) return NULL;
    enum change change = change_add(i, PRINCIPAL_USER, name, !m->u->no_mailbox, m->u->now, &number);
    if (change == CHANGE_NONE) {
        m->known++;
        return NULL;
    }
    if (change == CHANGE_DONE) change = change_secrets(i, number, secrets);
    if (change == CHANGE_DONE && m->rights)
        change = user_rights_give(m->u, (struct change_subject){.number = number}, m->rights);
    if (change != CHANGE_DONE) return change_why(i);
    m->added++;
    m->no_scram += secrets->scram_256.key_octets == 0 && has_any(secrets);
    return NULL;
}

/* Of somebody who is there already nothing is read, so that a file can be imported again. */
static const char *read_user(struct import *m, struct span name, struct span secret)
{
    struct change_secrets secrets = {.verifier = ""};
    uint32_t number;
    switch (change_find(m->u->identity, name, &number)) {
    case IDENTITY_FOUND: m->known++; return NULL;
    case IDENTITY_UNREADABLE: return change_why(m->u->identity);
    default: break;
    }
    const char *wrong = read_secret(m, secret, &secrets);
    if (!wrong) wrong = add(m, name, &secrets);
    explicit_bzero(&secrets, sizeof secrets);
    return wrong;
}

/* Null, or what is wrong. */
static const char *read_line(struct import *m, struct span line)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf key = buf_on(memory, sizeof memory);
    struct span name, secret, local, domain;

    if (!split(line, &name, &secret)) return "write a name, then a TAB, colon or comma, then the secret";
    if (span_find(name, '@') == SPAN_NPOS && !m->u->domain)
        return "the name has no domain: --domain DOMAIN says which";
    if (!identity_name(name, span_str(m->u->domain), &key) ||
        !recipients_split(buf_span(&key), &local, &domain) || !mailbox_name_local(local) ||
        !mailbox_name_domain(domain))
        return "this is no name of a mailbox (name@domain)";
    return read_user(m, buf_span(&key), secret);
}

/* Passwords in clear take a while: who waits at a terminal sees how far it is. */
static void note_progress(const struct import *m, bool end)
{
    if (m->adds || m->n_hashed == 0 || m->u->v->json || !isatty(STDERR_FILENO)) return;
    if (end)
        fprintf(stderr, "\r\033[K");
    else if (m->line % LINES_A_NOTE == 0)
        fprintf(stderr, "\r%u of %u lines", m->line, m->lines);
}

static void read_lines(struct import *m, struct span text)
{
    m->line = m->added = m->known = m->no_scram = 0;
    if (span_eq(span_head(text, 3), SPAN("\xef\xbb\xbf")))
        text = span_skip(text, 3); /* UTF-8, says Windows */
    while (text.n) {
        struct span line = span_head(text, span_find(text, '\n'));
        text = span_skip(text, line.n + 1);
        m->line++;
        note_progress(m, false);
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (line.n == 0 || line.p[0] == '#') continue;
        const char *wrong = read_line(m, line);
        if (wrong && m->wrong < WRONG_SHOWN) complain(EXIT_NO, "%s:%u: %s", m->file, m->line, wrong);
        m->wrong += wrong != NULL;
    }
    note_progress(m, true);
}

/* SCRAM-SHA-256 is offered first, and many clients do not try another mechanism when that fails. */
static void tell_scram(const struct import *m)
{
    if (m->no_scram)
        fprintf(stderr,
                "note: %u of the added users have no keys for SCRAM-SHA-256, which is offered first: clients "
                "that choose it fail until `sallyport user passwd` sets a new password\n",
                m->no_scram);
}

static int nobody(struct import *m)
{
    return complain(EXIT_NO, "nobody was added: %u line%s wrong%s", m->wrong, m->wrong == 1 ? " is" : "s are",
                    m->wrong > WRONG_SHOWN ? ", the first of them are named" : "");
}

static int tell_dry(const struct import *m)
{
    if (m->u->v->json)
        printf("{\"added\":%u,\"known\":%u,\"without_scram_sha_256\":%u,\"dry_run\":true}\n", m->added,
               m->known, m->no_scram);
    else
        printf("%u would be added, %u are there already.\n", m->added, m->known);
    tell_scram(m);
    return EXIT_YES;
}

static int write_them(struct import *m)
{
    struct user_call *u = m->u;
    if (!user_begin(u)) return EXIT_NO;
    m->adds = true;
    read_lines(m, u->file);
    if (m->wrong || u->dry_run) {
        change_undo(u->identity);
        return m->wrong ? nobody(m) : tell_dry(m);
    }
    u->recipients_changed = m->added && !u->no_mailbox;
    int code = user_end(u, CHANGE_DONE, "", "%u user%s of %s %s added, %u %s there already", m->added,
                        m->added == 1 ? "" : "s", m->file, m->added == 1 ? "was" : "were", m->known,
                        m->known == 1 ? "was" : "were");
    if (code == EXIT_YES) tell_scram(m);
    return code;
}

int user_import(struct user_call *u)
{
    struct import m = {.u = u, .file = u->words[0]};

    if (!user_rights_read(u, u->grant, &m.rights)) return EXIT_USAGE;
    if (u->file_why) return complain(EXIT_NO, "%s: %s", m.file, u->file_why);
    for (size_t i = 0; i < u->file.n; i++)
        m.lines += u->file.p[i] == '\n';
    read_lines(&m, u->file);
    int code = m.wrong ? nobody(&m) : write_them(&m);
    if (m.hashed) explicit_bzero(m.hashed, m.n_hashed * sizeof *m.hashed);
    free(m.hashed);
    return code;
}
