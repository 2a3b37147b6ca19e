/* Users of other programs, a line each. The name, then a TAB, colon or comma, then the secret: of our own text file of before (TAB
 * verifier TAB), htpasswd(1) and passwd(5) (NAME:HASH), Dovecot's passwd-file (NAME:{SCHEME}SECRET:...), or NAME,HASH. */
#include "base/base64.h"
#include "base/hex.h"
#include "cmd/complain.h"
#include "cmd/user_private.h"
#include "cmd/user_rights.h"
#include "directory/mailbox_name.h"
#include "directory/recipients.h"
#include "service/config_load.h"

struct import {
    struct user_call *u;
    const char *file;
    uint32_t line, rights, added, known, wrong, no_scram;
};

typedef const char *read_secret_fn(const struct import *m, struct span secret,
                                   struct change_secrets *ret); /* null, or what is wrong */

/* --- secrets by their scheme */

static const char *read_crypt(const struct import *m, struct span secret, struct change_secrets *ret)
{
    (void)m;
    if (!secret_verifier_known(secret))
        return "this system's crypt(5) does not know that kind of hash: the user needs a new password";
    memcpy(ret->verifier, secret.p, secret.n);
    ret->verifier[secret.n] = 0;
    return NULL;
}

static const char *read_plain(const struct import *m, struct span secret, struct change_secrets *ret)
{
    const char *why = NULL;
    return user_make_secrets(m->u, secret, true, ret, &why) ? NULL : why;
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

static const char *read_scram_256(const struct import *m, struct span secret, struct change_secrets *ret)
{
    (void)m;
    return read_scram(secret, &ret->scram_256, 32);
}

static const char *read_scram_1(const struct import *m, struct span secret, struct change_secrets *ret)
{
    (void)m;
    return read_scram(secret, &ret->scram_1, 20);
}

static const char *read_nt(const struct import *m, struct span secret, struct change_secrets *ret)
{
    struct buf b = buf_on(ret->nt, sizeof ret->nt);
    (void)m;
    ret->has_nt = hex_decode(secret, &b) && !b.over && b.n == sizeof ret->nt;
    return ret->has_nt ? NULL : "write 32 hexadecimal digits";
}

/* Dovecot has the outer context first. */
static const char *read_cram(const struct import *m, struct span secret, struct change_secrets *ret)
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

static const char *read_secret(const struct import *m, struct span secret, struct change_secrets *ret)
{
    if (secret.n == 0 || secret.p[0] == '!' || secret.p[0] == '*' || span_eq(secret, SPAN("x")))
        return NULL; /* no password */
    if (secret.p[0] == '$') return read_crypt(m, secret, ret);
    if (secret.p[0] != '{') return "a password in clear is written {PLAIN}password";
    struct span name = span_head(span_skip(secret, 1), span_find(span_skip(secret, 1), '}'));
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

/* Null, or what is wrong. */
static const char *read_line(struct import *m, struct span line)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf key = buf_on(memory, sizeof memory);
    struct change_secrets secrets = {.verifier = ""};
    struct span name, secret, local, domain;

    if (!split(line, &name, &secret)) return "write a name, then a TAB, colon or comma, then the secret";
    if (span_find(name, '@') == SPAN_NPOS && !m->u->domain)
        return "the name has no domain: --domain DOMAIN says which";
    if (!identity_name(name, span_str(m->u->domain), &key) ||
        !recipients_split(buf_span(&key), &local, &domain) || !mailbox_name_local(local) ||
        !mailbox_name_domain(domain))
        return "this is no name of a mailbox (name@domain)";
    const char *wrong = read_secret(m, secret, &secrets);
    if (!wrong) wrong = add(m, buf_span(&key), &secrets);
    explicit_bzero(&secrets, sizeof secrets);
    return wrong;
}

static void read_lines(struct import *m, struct span text)
{
    while (text.n) {
        struct span line = span_head(text, span_find(text, '\n'));
        text = span_skip(text, line.n + 1);
        m->line++;
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (line.n == 0 || line.p[0] == '#') continue;
        const char *wrong = read_line(m, line);
        if (wrong) complain(EXIT_NO, "%s:%u: %s", m->file, m->line, wrong);
        m->wrong += wrong != NULL;
    }
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

static int finish(struct import *m)
{
    struct user_call *u = m->u;
    if (m->wrong) {
        change_undo(u->identity);
        return complain(EXIT_NO, "nobody was added: %u lines are wrong", m->wrong);
    }
    if (u->dry_run) {
        change_undo(u->identity);
        if (!u->v->json) printf("%u would be added, %u are there already.\n", m->added, m->known);
        tell_scram(m);
        return EXIT_YES;
    }
    u->recipients_changed = m->added && !u->no_mailbox;
    int code = user_end(u, CHANGE_DONE, "", "%u users of %s were added, %u were there already", m->added,
                        m->file, m->known);
    if (code == EXIT_YES) tell_scram(m);
    return code;
}

int user_import(struct user_call *u)
{
    struct import m = {.u = u, .file = u->words[0]};

    if (!user_rights_read(u, u->grant, &m.rights)) return EXIT_USAGE;
    if (u->file_why) return complain(EXIT_NO, "%s: %s", m.file, u->file_why);
    if (!user_begin(u)) return EXIT_NO;
    read_lines(&m, u->file);
    return finish(&m);
}
