#include "cmd/complain.h"
#include "cmd/password.h"
#include "cmd/user_private.h"

bool user_make_secrets(const struct user_call *u, struct span raw, bool verifier, struct change_secrets *ret,
                       const char **why)
{
    uint8_t memory[SECRET_PREPARED_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);

    *ret = (struct change_secrets){.verifier = ""};
    *why = "the password holds what a password may not: a control character, or letters of two directions "
           "(RFC 4013)";
    bool good = secret_prepare(raw, &b);
    if (good) *why = "the password cannot be hashed";
    good = good && (!verifier || secret_verifier(buf_span(&b), ret->verifier)) &&
           secret_scram(buf_span(&b), SECRET_SHA_256, &ret->scram_256) &&
           (!u->scram_sha_1 || secret_scram(buf_span(&b), SECRET_SHA_1, &ret->scram_1));
    if (good && u->nt) good = ret->has_nt = secret_nt(raw, ret->nt);
    if (good && u->cram) good = ret->has_cram = secret_cram(buf_span(&b), ret->cram);
    explicit_bzero(memory, sizeof memory);
    return good;
}

bool user_read_secrets(struct user_call *u, struct change_secrets *ret)
{
    char password[LIMIT_PASSWORD_OCTETS + 1];
    const char *why = NULL;

    *ret = (struct change_secrets){.verifier = ""};
    if (u->no_password && (u->nt || u->cram || u->scram_sha_1)) {
        command_usage(u->v, "--no-password leaves nothing for --nt, --cram or --scram-sha-1", NULL);
        return false;
    }
    if (u->no_password) return true;
    bool good = password_read(password, &why) && user_make_secrets(u, span_str(password), true, ret, &why);
    explicit_bzero(password, sizeof password);
    if (!good) complain(EXIT_NO, "%s", why);
    return good;
}
