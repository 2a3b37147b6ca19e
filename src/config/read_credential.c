/* read_credential: what a line says of the login at its smarthost: user-file FILE, or token-file FILE user NAME; mechanisms NAME ... */
#include "config/reader_private.h"
#include "config/user_file.h"
#include "directory/sasl_client.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

static bool said_twice(struct reader *r, bool said, const struct token *word)
{
    if (said)
        config_problem_at(r, word, PROBLEM_TEXT(r, word->text, SPAN(" is said twice in this line")),
                          SPAN("keep one of the two"));
    return said;
}

bool credential_at_word(const struct reader *r)
{
    return reader_at_word(r, "user-file") || reader_at_word(r, "token-file") || reader_at_word(r, "user") ||
           reader_at_word(r, "mechanisms");
}

static bool read_file(struct reader *r, const struct token *name, struct credential_words *w,
                      struct config_route *ret)
{
    struct token word = r->token;
    ret->secret.token = reader_at_word(r, "token-file");
    if (w->file_said) {
        config_problem_at(r, &word, SPAN("this line has a user-file or token-file already"),
                          SPAN("keep one of the two"));
        return false;
    }
    reader_advance(r);
    w->file_said =
        reader_argument(r, name, ret->secret.token ? "a FILE behind token-file" : "a FILE behind user-file",
                        &w->file) &&
        value_path(r, &w->file, &ret->hop.user);
    return w->file_said;
}

static bool read_user(struct reader *r, const struct token *name, struct credential_words *w,
                      struct config_route *ret)
{
    if (!reader_argument(r, name, "a NAME behind user", &w->user)) return false;
    struct span s = token_value(&w->user, r->arena);
    if (s.n == 0 || s.n > LIMIT_CREDENTIAL_USER_OCTETS || !span_no_controls(s)) {
        config_problem_at(r, &w->user, PROBLEM_TEXT(r, QUOTED(s), SPAN(" cannot be a user name")),
                          SPAN("1 to 320 octets without control characters"));
        return false;
    }
    w->user_said = true;
    ret->secret.user = arena_copy(r->arena, s);
    r->no_memory |= !ret->secret.user.p;
    return ret->secret.user.p != NULL;
}

/* --- mechanisms */

static const char *mechanism_of(struct span word, bool *token)
{
    const char *known;
    for (size_t i = 0; (known = sasl_client_mechanism(i, token)) != NULL; i++)
        if (span_eq_nocase(word, span_str(known))) return known;
    return NULL;
}

static bool no_mechanism(struct reader *r, const struct token *t)
{
    uint8_t memory[256];
    struct buf all = buf_on(memory, sizeof memory);
    const char *known;
    bool token;
    for (size_t i = 0; (known = sasl_client_mechanism(i, &token)) != NULL; i++) {
        if (i) buf_byte(&all, ' ');
        buf_str(&all, known);
    }
    config_problem_at(
        r, t, PROBLEM_TEXT(r, QUOTED(t->text), SPAN(" is no mechanism that we can use at a smarthost")),
        PROBLEM_TEXT(r, buf_span(&all)));
    return false;
}

static bool read_mechanisms(struct reader *r, const struct token *name, struct credential_words *w,
                            struct config_route *ret)
{
    uint8_t memory[256];
    struct buf all = buf_on(memory, sizeof memory);
    struct token t;
    bool token;
    if (!reader_argument(r, name, "a NAME behind mechanisms", &w->mechanisms)) return false;
    t = w->mechanisms;
    w->mechanisms_said = true;
    for (;;) {
        const char *known = mechanism_of(t.text, &token);
        if (!known || all.over) return no_mechanism(r, &t);
        if (all.n) buf_byte(&all, ' ');
        buf_str(&all, known);
        if (!mechanism_of(r->token.text, &token)) break;
        t = r->token;
        reader_advance(r);
    }
    ret->secret.mechanisms = arena_copy(r->arena, buf_span(&all));
    r->no_memory |= !ret->secret.mechanisms.p;
    return ret->secret.mechanisms.p != NULL;
}

bool read_credential(struct reader *r, const struct token *name, struct credential_words *w,
                     struct config_route *ret)
{
    struct token word = r->token;
    if (reader_word(r, "user")) return !said_twice(r, w->user_said, &word) && read_user(r, name, w, ret);
    if (reader_word(r, "mechanisms"))
        return !said_twice(r, w->mechanisms_said, &word) && read_mechanisms(r, name, w, ret);
    return read_file(r, name, w, ret);
}

/* --- what goes together */

static bool refuse(struct reader *r, const struct token *at, const char *text, const char *suggestion)
{
    config_problem_at(r, at, span_str(text), span_str(suggestion));
    return false;
}

static bool fits_kind(struct reader *r, const struct credential_words *w, const struct config_route *route)
{
    struct span rest = route->secret.mechanisms;
    while (rest.n > 0) {
        bool token = false;
        size_t end = span_find(rest, ' ');
        if (mechanism_of(span_head(rest, end), &token) && token != route->secret.token)
            return refuse(r, &w->mechanisms,
                          route->secret.token ? "a token is shown by OAUTHBEARER or XOAUTH2 only"
                                              : "OAUTHBEARER and XOAUTH2 show a token, not a password",
                          route->secret.token ? "leave mechanisms out" : "token-file FILE user NAME");
        rest = end == SPAN_NPOS ? span_skip(rest, rest.n) : span_skip(rest, end + 1);
    }
    return true;
}

bool check_credential(struct reader *r, const struct credential_words *w, const struct config_route *route)
{
    if (w->user_said && !(w->file_said && route->secret.token))
        return refuse(r, &w->user, "user goes with token-file: a user-file has the name in its first line",
                      "token-file FILE user NAME, or user-file FILE");
    if (w->mechanisms_said && !w->file_said)
        return refuse(r, &w->mechanisms, "mechanisms without anything to log in with",
                      "user-file FILE mechanisms NAME ...");
    if (w->file_said && route->secret.token && !w->user_said)
        return refuse(r, &w->file, "a token needs the name that it is for", "token-file FILE user NAME");
    return fits_kind(r, w, route);
}

static bool same(const struct config_secret *a, const struct config_secret *b)
{
    return a->token == b->token && span_eq(a->user, b->user) && span_eq(a->mechanisms, b->mechanisms);
}

static void check_table(struct reader *r, const struct config_user_file *files, uint32_t n,
                        const struct config_route *table, uint32_t n_table)
{
    for (uint32_t i = 0; i < n_table; i++)
        for (uint32_t k = 0; k < n && table[i].hop.user.n; k++)
            if (span_eq(files[k].path, table[i].hop.user) && !same(&files[k].secret, &table[i].secret))
                config_problem_add(r, CONFIG_ERROR, table[i].place,
                                   PROBLEM_TEXT(r, SPAN("this line uses "), files[k].path,
                                                SPAN(" in another way than the line at "),
                                                config_problem_place(r, files[k].place)),
                                   SPAN("say the same words behind it, or give it a file of its own"));
}

void check_secrets(struct reader *r)
{
    const struct config *c = r->config;
    struct config_user_file *files = arena_take_array(r->arena, LIMIT_CREDENTIAL_FILES, sizeof *files);
    if (!files) {
        r->no_memory = true;
        return;
    }
    uint32_t n = config_user_files(c, files);
    if (n > LIMIT_CREDENTIAL_FILES) n = LIMIT_CREDENTIAL_FILES; /* service/config_credentials complains */
    check_table(r, files, n, c->routes, c->n_routes);
    check_table(r, files, n, c->sender_routes, c->n_sender_routes);
}
