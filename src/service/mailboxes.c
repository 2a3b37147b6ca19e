#include "service/mailboxes.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "identity/identity.h"

static enum mailboxes unreadable(struct arena *a, const char *text, const char **why)
{
    struct span copy = arena_copy(a, span_str(text));
    *why = copy.p ? (const char *)copy.p : "no memory";
    return MAILBOXES_UNREADABLE;
}

enum mailboxes mailboxes_read(int folder, struct arena *a, struct users *ret, const char **why)
{
    uint32_t after = 0;
    struct span name;
    const char *text = NULL;

    *ret = (struct users){.count = 0};
    if (folder < 0 || (faccessat(folder, IDENTITY_FILE, F_OK, 0) != 0 && errno == ENOENT))
        return MAILBOXES_ABSENT;
    struct identity *i = identity_open(folder, false, &text);
    if (!i) return unreadable(a, text, why);
    enum mailboxes result = identity_check(i, &text) ? MAILBOXES_READ : unreadable(a, text, why);
    while (result == MAILBOXES_READ && identity_next_mailbox(i, &after, a, &name, &text))
        if (!users_add(ret, a, name)) result = unreadable(a, "more than can be held", why);
    if (result == MAILBOXES_READ && text) result = unreadable(a, text, why);
    identity_close(&i);
    return result;
}

enum mailboxes mailboxes_open(const char *path, struct arena *a, struct users *ret, const char **why)
{
    *ret = (struct users){.count = 0};
    int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT) return MAILBOXES_ABSENT;
    if (folder < 0 && errno == ENOTDIR) return MAILBOXES_FILE;
    if (folder < 0) return unreadable(a, strerrordesc_np(errno), why);
    enum mailboxes result = mailboxes_read(folder, a, ret, why);
    close(folder);
    return result;
}
