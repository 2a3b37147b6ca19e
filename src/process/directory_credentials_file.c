#include "process/directory_credentials_private.h"

#include <unistd.h>

#include "system/file_octets.h"
#include "system/log.h"

void credentials_file_complain(const struct credential_file *f, const char *event, uint32_t line,
                               struct span text)
{
    log_begin(LOG_LEVEL_ERROR, event);
    log_span("file", f->named.path);
    if (line) log_u64("line", line);
    log_span("text", text);
    log_end();
}

void credentials_file_load(struct credential_file *f)
{
    uint32_t line = 0;
    ssize_t n = f->fd < 0 ? -1 : file_octets(f->fd, f->text, sizeof f->text);
    const char *wrong =
        n < 0 ? "cannot be read" : credential_parse(span_of(f->text, (size_t)n), &f->credential, &line);
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
    f->usable = !wrong;
    f->credential.mechanisms = f->named.secret.mechanisms;
    if (f->usable) return;
    explicit_bzero(f->text, sizeof f->text);
    credentials_file_complain(f, "credential-unusable", line, span_str(wrong));
}

struct credential_file *credentials_file_find(const struct credentials *k, struct span path)
{
    for (uint32_t i = 0; i < k->n; i++)
        if (span_eq(k->files[i].named.path, path)) return &k->files[i];
    return NULL;
}
