/* token_file: a bearer token that something else writes into a file, again and again, by rename or in place. It is opened anew each time it is
 * needed, below a descriptor of its folder, as a caged process must. */
#ifndef SERVICE_TOKEN_FILE_H
#define SERVICE_TOKEN_FILE_H

#include "base/buf.h"
#include "base/limits.h"

enum { TOKEN_FILE_OCTETS = LIMIT_CREDENTIAL_TOKEN_OCTETS + 256 }; /* blanks included; larger is too large */

struct token_file_state {
    uint64_t written; /* Unix seconds; 0: not known */
    char text
        [100]; /* for people, never anything of the content: what is wrong, and how old the file is; when it is good, the latter */
};

/* name: within the folder, a NUL behind it. memory: TOKEN_FILE_OCTETS + 1, for the secret, which the caller wipes. True: *token
 * points into it. *state is set in any case. */
MUST_USE bool token_file_read(int folder, const char *name, uint64_t unix_seconds,
                              uint8_t memory[TOKEN_FILE_OCTETS + 1], struct span *token,
                              struct token_file_state *state);

/* "/run/tokens/provider" into folder and name. Behind the folder is no NUL. */
void token_file_split(struct span path, struct span *folder, const char **name);

#endif
