#include "service/config_load.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SOURCES_MAX = 1024 };

static struct span absolute(struct arena *arena, const char *path)
{
    char folder[PATH_MAX], whole[2 * PATH_MAX];
    struct buf b = buf_on(whole, sizeof whole);

    while (path[0] == '.' && path[1] == '/')
        path += 2;
    if (path[0] != '/') {
        if (!getcwd(folder, sizeof folder)) return span_of(NULL, 0);
        buf_str(&b, folder);
        if (folder[1]) buf_byte(&b, '/');
    }
    buf_str(&b, path);
    return b.over ? span_of(NULL, 0) : arena_copy(arena, buf_span(&b));
}

/* Null, or why not (constant text). */
static const char *read_whole(struct arena *arena, int fd, struct span *text)
{
    struct stat st;
    size_t n = 0;

    if (fstat(fd, &st) != 0) return strerrordesc_np(errno);
    if (S_ISDIR(st.st_mode)) return "it is a folder";
    /* a regular file has a size; a pipe may bring as much as is allowed; one octet more is refused by the parser */
    bool sized = S_ISREG(st.st_mode) && st.st_size < LIMIT_CONFIG_OCTETS;
    size_t max = sized ? (size_t)st.st_size : LIMIT_CONFIG_OCTETS + 1;
    uint8_t *p = arena_take(arena, max);
    if (!p) return "no memory";
    while (n < max) {
        ssize_t got = read(fd, p + n, max - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return strerrordesc_np(errno);
        if (got == 0) break;
        n += (size_t)got;
    }
    *text = span_of(p, n);
    return NULL;
}

static const char *read_file(struct arena *arena, struct span name, struct span *text)
{
    int fd = open((const char *)name.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) return strerrordesc_np(errno);
    const char *why = read_whole(arena, fd, text);
    close(fd);
    return why;
}

static void add_source(struct config_load *l, struct span name)
{
    struct config_source *s = &l->sources[l->n_sources++];

    *s = (struct config_source){.name = name, .text = SPAN("")};
    s->unreadable = l->n_sources > SOURCES_MAX - 1 ? "too many files" : read_file(l->arena, name, &s->text);
}

static bool begin(struct config_load *l, const char *path)
{
    *l = (struct config_load){.arena = arena_create(LIMIT_CONFIG_MEMORY_OCTETS)};
    if (!l->arena) return false;
    l->sources = arena_take_array(l->arena, SOURCES_MAX, sizeof *l->sources);
    struct span name = absolute(l->arena, path);
    if (l->sources && name.p) {
        l->sources[l->n_sources++] = (struct config_source){.name = name, .text = SPAN("")};
        return true;
    }
    config_load_free(l);
    return false;
}

/* The parser names one missing file at a time. */
static bool parse(struct config_load *l)
{
    struct config_problem *problems = NULL;
    struct span missing;

    for (;;) {
        l->config = config_parse(l->arena, l->sources, l->n_sources, &problems, &missing);
        l->problems = problems;
        if (!missing.n || l->n_sources == SOURCES_MAX) break;
        add_source(l, missing);
    }
    if (l->config || l->problems) return true;
    config_load_free(l);
    return false;
}

bool config_load(struct config_load *l, const char *path)
{
    if (!begin(l, path)) return false;
    l->sources[0].unreadable = read_file(l->arena, l->sources[0].name, &l->sources[0].text);
    return parse(l);
}

bool config_load_text(struct config_load *l, const char *path, struct span text)
{
    if (!begin(l, path)) return false;
    l->sources[0].text = text;
    return parse(l);
}

void config_load_free(struct config_load *l)
{
    arena_destroy(&l->arena);
    *l = (struct config_load){.arena = NULL};
}
