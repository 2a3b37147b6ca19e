#include "process/directory_credentials_private.h"

#include <stdlib.h>

#include "service/token_file.h"

void credentials_token_load(struct credential_file *f, uint64_t unix_seconds)
{
    uint8_t memory[TOKEN_FILE_OCTETS + 1];
    struct token_file_state state;
    struct span folder, token;
    const char *name;
    token_file_split(f->named.path, &folder, &name);
    f->usable = token_file_read(f->fd, name, unix_seconds, memory, &token, &state);
    explicit_bzero(memory, sizeof memory);
    if (!f->usable) credentials_file_complain(f, "credential-unusable", 0, span_str(state.text));
}

bool credentials_token_take(struct exchange *e, struct buf *why)
{
    const struct credential_file *f = e->file;
    struct token_file_state state;
    struct span folder;
    const char *name;
    e->token = malloc(TOKEN_FILE_OCTETS + 1);
    if (!e->token) {
        buf_str(why, "no memory for a token");
        return false;
    }
    token_file_split(f->named.path, &folder, &name);
    e->token_good = token_file_read(f->fd, name, e->unix_seconds, e->token, &e->credential.token, &state);
    e->token_written = state.written;
    buf_str(why, "the token in ");
    buf_escaped(why, f->named.path, 200);
    buf_str(why, e->token_good ? ", " : " ");
    buf_str(why, state.text);
    return e->token_good;
}

void credentials_token_wipe(struct exchange *e)
{
    e->credential.token = (struct span){NULL, 0};
    if (!e->token) return;
    explicit_bzero(e->token, TOKEN_FILE_OCTETS + 1);
    free(e->token);
    e->token = NULL;
}

void credentials_token_note(const struct exchange *e)
{
    struct credential_file *f = e->file;
    if (!f->named.secret.token) return;
    if (f->usable && !e->token_good)
        credentials_file_complain(f, "credential-unusable", 0, buf_span(&e->sasl.why));
    if (e->sasl.acknowledged && f->refused != e->token_written) {
        credentials_file_complain(f, "credential-refused", 0, buf_span(&e->sasl.why));
        f->refused = e->token_written;
    }
    f->usable = e->token_good;
}
