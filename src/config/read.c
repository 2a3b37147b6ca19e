/* read: from words to a configuration. The loop over statements and blocks; what a directive takes stands in schema.c, the
 * directives with a grammar of their own are in read_server.c and read_route.c. Nothing here recurses: includes and blocks
 * are stacks of fixed depth. */
#include "config/reader_private.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

struct config_place reader_place(const struct reader *r, const struct token *t)
{
    struct span file =
        r->n_frames && r->n_sources ? r->sources[r->frames[r->n_frames - 1].source].name : SPAN("");

    return (struct config_place){file, t->line, t->column};
}

static struct open_block *innermost(const struct reader *r)
{
    return (struct open_block *)(uintptr_t)&r->blocks[r->n_blocks - 1];
}

unsigned reader_block(const struct reader *r)
{
    return innermost(r)->kind;
}

void *reader_target(const struct reader *r)
{
    return innermost(r)->target;
}

struct draft *reader_draft(struct reader *r)
{
    for (unsigned i = r->n_blocks; i-- > 0;)
        if (r->blocks[i].kind == SCHEMA_SERVER) return r->blocks[i].target;
    return &r->top;
}

void reader_advance(struct reader *r)
{
    do {
        r->token = grammar_next(&r->frames[r->n_frames - 1].grammar);
        if (r->token.kind == TOKEN_BAD) config_problem_at(r, &r->token, r->token.text, SPAN(""));
    } while (r->token.kind == TOKEN_BAD);
}

struct token reader_peek(const struct reader *r, unsigned ahead)
{
    struct grammar g = r->frames[r->n_frames - 1].grammar;
    struct token t = r->token;

    while (ahead-- > 0)
        t = grammar_next(&g);
    return t;
}

static bool is_text(const struct token *t)
{
    return t->kind == TOKEN_WORD || t->kind == TOKEN_STRING;
}

static bool is_directive(const struct reader *r, const struct token *t)
{
    return t->kind == TOKEN_WORD && schema_find(t->text, reader_block(r)) != NULL;
}

bool reader_argument(struct reader *r, const struct token *directive, const char *what, struct token *ret)
{
    if (r->broken && !is_text(&r->token)) return false;
    if (!is_text(&r->token)) {
        config_problem_at(r, directive, PROBLEM_TEXT(r, directive->text, SPAN(" needs "), span_str(what)),
                          SPAN(""));
        return false;
    }
    *ret = r->token;
    reader_advance(r);
    return true;
}

bool reader_more(struct reader *r, struct token *ret)
{
    if (!is_text(&r->token) || is_directive(r, &r->token)) return false;
    *ret = r->token;
    reader_advance(r);
    return true;
}

bool reader_at_word(const struct reader *r, const char *word)
{
    return r->token.kind == TOKEN_WORD && span_eq(r->token.text, span_str(word));
}

bool reader_word(struct reader *r, const char *word)
{
    if (!reader_at_word(r, word)) return false;
    reader_advance(r);
    return true;
}

void *reader_push(struct reader *r, void *array, uint32_t *n, size_t each, uint32_t max)
{
    bool full = *n == 0 || (*n >= 4 && (*n & (*n - 1)) == 0); /* capacity: 4, then powers of two */

    if (*n >= max) {
        config_problem_at(
            r, &r->token,
            PROBLEM_TEXT(r, SPAN("more than "), config_problem_number(r, max), SPAN(" of these")), SPAN(""));
        return NULL;
    }
    if (full) {
        void *grown = arena_take_array(r->arena, *n ? *n * (size_t)2 : 4, each);
        if (!grown) {
            r->no_memory = true;
            return NULL;
        }
        if (*n) memcpy(grown, array, *n * each);
        array = grown;
    }
    ++*n;
    return array;
}

/* --- the end of statements and blocks */

static void skip_block(struct reader *r)
{
    unsigned depth = 0;

    do {
        if (r->token.kind == TOKEN_OPEN) depth++;
        if (r->token.kind == TOKEN_CLOSE) depth--;
        if (r->token.kind == TOKEN_END) return; /* the main loop speaks of what is not closed */
        reader_advance(r);
    } while (depth);
}

static void skip_rest(struct reader *r, bool to_line_end)
{
    while (is_text(&r->token) && (to_line_end || !is_directive(r, &r->token)))
        reader_advance(r);
    if (r->token.kind == TOKEN_OPEN) skip_block(r);
}

static void end_statement(struct reader *r, const struct token *name)
{
    if (!r->broken && is_text(&r->token) && !is_directive(r, &r->token)) {
        config_problem_at(
            r, &r->token,
            PROBLEM_TEXT(r, SPAN("unexpected "), QUOTED(r->token.text), SPAN(" behind "), name->text),
            SPAN("a statement ends with its line, ';' or '}'"));
    } else if (!r->broken && r->token.kind == TOKEN_OPEN)
        config_problem_at(r, &r->token, PROBLEM_TEXT(r, name->text, SPAN(" has no block here")), SPAN(""));
    skip_rest(r, false);
}

void reader_open_block(struct reader *r, const struct token *name, unsigned kind, void *target)
{
    while (r->token.kind == TOKEN_LINE_END) /* the brace may stand on a line of its own */
        reader_advance(r);
    if (r->token.kind != TOKEN_OPEN) {
        if (!r->broken)
            config_problem_at(r, name, PROBLEM_TEXT(r, name->text, SPAN(" needs a block")),
                              PROBLEM_TEXT(r, name->text, SPAN(" ... { ... }")));
        skip_rest(r, false);
        return;
    }
    if (r->n_blocks == READER_BLOCK_DEPTH) { /* the schema nests no deeper; a safeguard */
        config_problem_at(r, name, SPAN("blocks are nested too deeply"), SPAN(""));
        skip_block(r);
        return;
    }
    struct open_block *b = &r->blocks[r->n_blocks++];
    memset(b, 0, sizeof *b);
    b->kind = kind;
    b->target = target;
    b->name = *name;
    b->file = reader_place(r, name).file;
    reader_advance(r);
}

static void close_block(struct reader *r)
{
    if (r->n_blocks <= r->frames[r->n_frames - 1].blocks)
        config_problem_at(r, &r->token, SPAN("'}' without a block that was opened in this file"), SPAN(""));
    else
        r->n_blocks--;
    reader_advance(r);
}

/* False when the last file has ended. */
static bool end_file(struct reader *r)
{
    struct frame *f = &r->frames[r->n_frames - 1];

    for (; r->n_blocks > f->blocks; r->n_blocks--) {
        struct open_block *b = innermost(r);
        config_problem_at(r, &b->name,
                          PROBLEM_TEXT(r, SPAN("the block of "), b->name.text, SPAN(" is not closed")),
                          SPAN("write } behind its last line"));
    }
    if (r->n_frames == 1) return false;
    r->token = f->resume;
    r->n_frames--;
    return true;
}

/* --- includes */

static void begin_file(struct reader *r, size_t source, struct token resume)
{
    struct frame *f = &r->frames[r->n_frames++];

    *f = (struct frame){.source = source, .blocks = r->n_blocks, .resume = resume};
    grammar_begin(&f->grammar, r->sources[source].text);
    if (r->sources[source].text.n > LIMIT_CONFIG_OCTETS) {
        config_problem_at(r, &(struct token){TOKEN_WORD, {NULL, 0}, 1, 1},
                          PROBLEM_TEXT(r, SPAN("the file is larger than "),
                                       config_problem_number(r, LIMIT_CONFIG_OCTETS), SPAN(" octets")),
                          SPAN(""));
        grammar_begin(&f->grammar, SPAN(""));
    }
    reader_advance(r);
}

void read_include(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct token t;
    struct span path;
    size_t source = 0;

    (void)row;
    if (!reader_argument(r, name, "a FILE", &t) || !value_path(r, &t, &path)) return;
    end_statement(r, name);
    while (source < r->n_sources && !span_eq(r->sources[source].name, path))
        source++;
    if (source == r->n_sources) { /* the caller reads it and parses again */
        if (!r->missing.n) r->missing = path;
        return;
    }
    if (r->sources[source].unreadable) {
        config_problem_at(
            r, &t,
            PROBLEM_TEXT(r, SPAN("cannot read "), path, SPAN(": "), span_str(r->sources[source].unreadable)),
            SPAN(""));
        return;
    }
    for (unsigned i = 0; i < r->n_frames; i++)
        if (r->frames[i].source == source) {
            config_problem_at(r, &t, PROBLEM_TEXT(r, QUOTED(path), SPAN(" includes itself")), SPAN(""));
            return;
        }
    if (r->n_frames == LIMIT_CONFIG_DEPTH) {
        config_problem_at(r, &t,
                          PROBLEM_TEXT(r, SPAN("includes are nested more than "),
                                       config_problem_number(r, LIMIT_CONFIG_DEPTH), SPAN(" deep")),
                          SPAN(""));
        return;
    }
    begin_file(r, source, r->token);
}

/* --- statements */

static void unknown(struct reader *r, const struct token *name)
{
    const struct schema_row *elsewhere = schema_find_anywhere(name->text);
    const char *near = schema_nearest(name->text, reader_block(r));

    if (name->kind == TOKEN_STRING)
        config_problem_at(r, name,
                          PROBLEM_TEXT(r, QUOTED(name->text), SPAN(" stands where a directive begins")),
                          SPAN("directives are not quoted"));
    else if (elsewhere) {
        unsigned where = elsewhere->where & (unsigned)-(int)elsewhere->where; /* its first block */
        config_problem_at(r, name,
                          PROBLEM_TEXT(r, name->text, SPAN(" has no place in "),
                                       span_str(schema_block_name(reader_block(r)))),
                          PROBLEM_TEXT(r, SPAN("it belongs in "), span_str(schema_block_name(where))));
    } else
        config_problem_at(r, name, PROBLEM_TEXT(r, SPAN("unknown directive "), QUOTED(name->text)),
                          near ? PROBLEM_TEXT(r, SPAN("did you mean "), QUOTED(span_str(near)), SPAN("?"))
                               : SPAN("sallyport help config names them all"));
    skip_rest(r, true);
}

static void said_already(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config_place *said = &innermost(r)->said[row - schema_table];

    if (said->line && !row->repeat)
        config_problem_add(
            r, CONFIG_ERROR, reader_place(r, name),
            PROBLEM_TEXT(r, name->text, SPAN(" was said already at "), config_problem_place(r, said)),
            SPAN("keep one of the two"));
    *said = reader_place(r, name);
    said = &reader_draft(r)->said[row - schema_table];
    if (!said->line) *said = reader_place(r, name);
}

static void read_plain(struct reader *r, const struct schema_row *row, const struct token *name)
{
    uint8_t *member = (uint8_t *)reader_target(r) + row->offset;
    struct token t;
    struct span s;
    uint64_t v;

    if (!reader_argument(r, name, row->arguments, &t)) return;
    if (row->type == SCHEMA_PATH || row->type == SCHEMA_NAME) {
        if (row->type == SCHEMA_PATH ? value_path(r, &t, &s) : value_domain(r, &t, false, &s))
            memcpy(member, &s, sizeof s);
        return;
    }
    if (!value_plain(r, row, &t, &v)) return;
    if (row->octets == 1) *member = (uint8_t)v;
    if (row->octets == 4) memcpy(member, &(uint32_t){(uint32_t)v}, 4);
    if (row->octets == 8) memcpy(member, &v, 8);
}

static void read_block(struct reader *r, const struct schema_row *row, const struct token *name)
{
    void *target = row->opens == SCHEMA_LIMITS ? (void *)&reader_draft(r)->server.limits : (void *)r->config;

    reader_open_block(r, name, row->opens, target);
}

void read_server(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct token t;
    struct draft *fresh, *grown = reader_push(r, r->drafts, &r->n_drafts, sizeof *r->drafts, LIMIT_SERVERS);

    if (!grown) return;
    r->drafts = grown;
    fresh = &grown[r->n_drafts - 1];
    fresh->server.place = reader_place(r, name);
    fresh->early = 2;
    if (reader_argument(r, name, "a NAME", &t)) (void)value_name(r, &t, &fresh->server.name);
    reader_open_block(r, name, row->opens, fresh);
    fresh->damaged |= r->broken;
}

static void read_statement(struct reader *r)
{
    struct token name = r->token;
    const struct schema_row *row = name.kind == TOKEN_WORD ? schema_find(name.text, reader_block(r)) : NULL;

    r->broken = false;
    reader_advance(r);
    if (!row) {
        unknown(r, &name);
        return;
    }
    said_already(r, row, &name);
    if (row->type == SCHEMA_BLOCK) {
        read_block(r, row, &name);
        return;
    }
    if (row->read)
        row->read(r, row, &name);
    else
        read_plain(r, row, &name);
    if (!row->opens && row->read != read_include) end_statement(r, &name);
}

static void read_all(struct reader *r)
{
    r->blocks[0].kind = SCHEMA_TOP;
    r->blocks[0].target = r->config;
    r->n_blocks = 1;
    begin_file(r, 0, (struct token){TOKEN_END, {NULL, 0}, 1, 1});
    if (r->sources[0].unreadable)
        config_problem_at(r, &(struct token){TOKEN_WORD, {NULL, 0}, 1, 1},
                          PROBLEM_TEXT(r, SPAN("cannot read the file: "), span_str(r->sources[0].unreadable)),
                          SPAN("sallyport init makes one"));
    while (!r->no_memory) {
        switch (r->token.kind) {
        case TOKEN_LINE_END:
        case TOKEN_SEMICOLON: reader_advance(r); break;
        case TOKEN_CLOSE: close_block(r); break;
        case TOKEN_OPEN:
            config_problem_at(r, &r->token, SPAN("a block without a directive"), SPAN(""));
            skip_block(r);
            break;
        case TOKEN_END:
            if (!end_file(r)) return;
            break;
        default: read_statement(r); break;
        }
    }
}

/* Plain values of the top level get what an empty configuration means. */
static void assume(struct config *c)
{
    for (size_t i = 0; i < schema_rows; i++) {
        const struct schema_row *row = &schema_table[i];
        uint8_t *member = (uint8_t *)c + row->offset;
        if (!(row->where & (SCHEMA_TOP | SCHEMA_QUEUE | SCHEMA_POOL))) continue;
        if (row->octets == 1) *member = (uint8_t)row->fallback;
        if (row->octets == 4) memcpy(member, &(uint32_t){(uint32_t)row->fallback}, 4);
    }
}

/* The reader points into names only: they outlive the caller's sources. */
static bool take_sources(struct reader *r, const struct config_source *sources, size_t n)
{
    struct config_source *mine = arena_take_array(r->arena, n ? n : 1, sizeof *mine);

    if (!mine) return false;
    for (size_t i = 0; i < n; i++) {
        mine[i] = (struct config_source){arena_copy(r->arena, sources[i].name), sources[i].text,
                                         sources[i].unreadable};
        if (!mine[i].name.p) return false;
    }
    if (!n) mine[0] = (struct config_source){SPAN("sallyport.conf"), SPAN(""), NULL};
    r->sources = mine;
    r->n_sources = n ? n : 1;
    return true;
}

struct config *config_parse(struct arena *arena, const struct config_source *sources, size_t n_sources,
                            struct config_problem **problems, struct span *missing)
{
    struct reader *r = arena_take(arena, sizeof *r);
    struct config *c = arena_take(arena, sizeof *c);

    *problems = NULL;
    *missing = SPAN("");
    if (!r || !c) return NULL;
    r->arena = c->arena = arena;
    r->config = c;
    r->top.early = 2;
    if (!take_sources(r, sources, n_sources)) return NULL;
    assume(c);
    read_all(r);
    *missing = r->missing;
    if (!r->no_memory && !r->missing.n && finish_config(r)) check_config(r);
    config_problem_sort(r);
    *problems = r->first;
    return r->failed || r->no_memory || r->missing.n ? NULL : c;
}
