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

const char *config_load_descriptor(struct arena *arena, int fd, size_t max, struct span *text)
{
    struct stat st;
    size_t n = 0;

    if (fstat(fd, &st) != 0) return strerrordesc_np(errno);
    if (S_ISDIR(st.st_mode)) return "it is a folder";
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max) return "it is too large";
    /* a regular file has a size, a pipe may bring as much as is allowed; one octet more tells whether it is all */
    size_t room = (S_ISREG(st.st_mode) ? (size_t)st.st_size : max) + 1;
    uint8_t *p = arena_take(arena, room);
    if (!p) return "no memory";
    while (n < room) {
        ssize_t got = read(fd, p + n, room - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return strerrordesc_np(errno);
        if (got == 0) break;
        n += (size_t)got;
    }
    if (n == room) return S_ISREG(st.st_mode) ? "it grew while it was read" : "it is too large";
    *text = span_of(p, n);
    return NULL;
}

const char *config_load_file(struct arena *arena, const char *path, size_t max, struct span *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO without a writer must not hang us */

    if (fd < 0) return strerrordesc_np(errno);
    const char *why = config_load_descriptor(arena, fd, max, text);
    close(fd);
    return why;
}

/* instead: null, or the text of one file that is not read. */
static void add_source(struct config_load *l, struct span name, const struct config_source *instead)
{
    struct config_source *s = &l->sources[l->n_sources++];

    if (instead && span_eq(instead->name, name)) {
        *s = (struct config_source){.name = name, .text = instead->text};
        return;
    }
    *s = (struct config_source){.name = name, .text = SPAN("")};
    s->unreadable = l->n_sources > SOURCES_MAX - 1
                        ? "too many files"
                        : config_load_file(l->arena, (const char *)name.p, LIMIT_CONFIG_OCTETS, &s->text);
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
static bool parse(struct config_load *l, const struct config_source *instead)
{
    struct config_problem *problems = NULL;
    struct span missing;

    for (;;) {
        l->config = config_parse(l->arena, l->sources, l->n_sources, &problems, &missing);
        l->problems = problems;
        if (!missing.n || l->n_sources == SOURCES_MAX) break;
        add_source(l, missing, instead);
    }
    if (l->config || l->problems) return true;
    config_load_free(l);
    return false;
}

bool config_load_edited(struct config_load *l, const char *path, const struct config_source *instead)
{
    if (!begin(l, path)) return false;
    struct span name = l->sources[0].name;
    l->n_sources = 0;
    add_source(l, name, instead);
    return parse(l, instead);
}

bool config_load(struct config_load *l, const char *path)
{
    return config_load_edited(l, path, NULL);
}

bool config_load_text(struct config_load *l, const char *path, struct span text)
{
    if (!begin(l, path)) return false;
    l->sources[0].text = text;
    return parse(l, NULL);
}

void config_load_free(struct config_load *l)
{
    arena_destroy(&l->arena);
    *l = (struct config_load){.arena = NULL};
}
