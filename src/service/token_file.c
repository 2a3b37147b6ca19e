#include "service/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "directory/credential.h"
#include "system/file_octets.h"

void token_file_split(struct span path, struct span *folder, const char **name)
{
    size_t slash = span_rfind(path, '/'); /* there is one: the path is absolute */
    *folder = span_head(path, slash == 0 ? 1 : slash);
    *name = (const char *)path.p + slash + 1;
}

/* "written 90 seconds ago" */
static void put_age(struct buf *b, uint64_t now, time_t written)
{
    uint64_t then = written > 0 ? (uint64_t)written : 0, age = now > then ? now - then : 0;
    bool seconds = age < 600, minutes = age < 36000, hours = age < 360000;
    buf_str(b, "written ");
    buf_u64(b, seconds ? age : minutes ? age / 60 : hours ? age / 3600 : age / 86400);
    buf_str(b, seconds ? " seconds ago" : minutes ? " minutes ago" : hours ? " hours ago" : " days ago");
}

static const char *read_open(int fd, const struct stat *st, uint8_t memory[TOKEN_FILE_OCTETS + 1],
                             struct span *token)
{
    if (!S_ISREG(st->st_mode)) return "is no file";
    ssize_t n = file_octets(fd, memory, TOKEN_FILE_OCTETS + 1);
    if (n < 0) return "cannot be read";
    if (n > TOKEN_FILE_OCTETS) return "is too long for a token";
    return credential_token(span_of(memory, (size_t)n), token);
}

bool token_file_read(int folder, const char *name, uint64_t unix_seconds,
                     uint8_t memory[TOKEN_FILE_OCTETS + 1], struct span *token,
                     struct token_file_state *state)
{
    struct stat st;
    struct buf text = buf_on(state->text, sizeof state->text - 1);
    int fd = folder < 0 ? -1 : openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *wrong = fd >= 0                          ? NULL
                        : folder >= 0 && errno == ENOENT ? "does not exist"
                                                         : "cannot be opened";
    bool known = fd >= 0 && fstat(fd, &st) == 0;
    if (fd >= 0) wrong = known ? read_open(fd, &st, memory, token) : "cannot be looked at";
    if (fd >= 0) close(fd);
    buf_str(&text, wrong);
    if (wrong && known) buf_str(&text, ", ");
    if (known) put_age(&text, unix_seconds, st.st_mtime);
    state->text[text.n] = '\0';
    state->written = known && st.st_mtime > 0 ? (uint64_t)st.st_mtime : 0;
    return !wrong;
}
