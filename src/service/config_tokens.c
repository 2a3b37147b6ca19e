/* The keys of whoever issues tokens. */
#include "service/config_files_private.h"
#include "service/config_load.h"
#include "service/token_keys.h"

void config_files_tokens(const struct config_files *f)
{
    const struct config_tokens *t = &f->config->tokens;
    struct span text;
    if (!t->given) return;
    const struct config_place place = config_said(f->config, "tokens");
    struct arena *arena = arena_create(2 * LIMIT_TOKEN_KEYS_OCTETS);
    const char *why =
        arena ? config_load_file(arena, config_files_text(t->keys_file), LIMIT_TOKEN_KEYS_OCTETS, &text)
              : "no memory";
    if (why) {
        config_files_unreadable(f, place, "the keys of tokens", t->keys_file, why);
    } else {
        struct token_keys *keys = token_keys_read(text, &why);
        if (!keys)
            config_report_add(
                f->report, CONFIG_ERROR, place,
                CONFIG_FILES_SAY("the keys of tokens in ", config_files_text(t->keys_file), ": ", why),
                "what the issuer publishes at its jwks_uri");
        token_keys_free(&keys);
    }
    arena_destroy(&arena);
}
