/* The files behind user-file: names and passwords for smarthosts. They are read, and wiped. */
#include "config/user_file.h"
#include "directory/credential.h"
#include "service/config_files_private.h"
#include "service/config_load.h"

static void check_content(const struct config_files *f, const struct config_user_file *u, struct span text)
{
    struct credential credential;
    uint32_t line;
    const char *wrong = credential_parse(text, &credential, &line);
    if (!wrong) return;
    config_report_add(f->report, CONFIG_ERROR, (struct config_place){u->path, line, 0}, wrong,
                      "two lines: the user name, the password");
}

static void check_user_file(const struct config_files *f, const struct config_user_file *u)
{
    struct arena *arena = arena_create(64 * LIMIT_CREDENTIAL_FILE_OCTETS);
    struct span text = {NULL, 0};
    const char *why =
        arena ? config_load_file(arena, config_files_text(u->path), 2 * LIMIT_CREDENTIAL_FILE_OCTETS, &text)
              : "no memory";
    if (!why) check_content(f, u, text);
    if (!why) config_files_wipe(text);
    if (why)
        config_files_unreadable(f, *u->place, "the user-file", u->path, why);
    else
        config_files_secret_mode(f, *u->place, "user-file", u->path);
    arena_destroy(&arena);
}

void config_files_credentials(const struct config_files *f)
{
    static struct config_user_file files[LIMIT_CREDENTIAL_FILES];
    uint32_t n = config_user_files(f->config, files);
    if (n > LIMIT_CREDENTIAL_FILES) {
        n = LIMIT_CREDENTIAL_FILES;
        config_report_add(f->report, CONFIG_ERROR, *files[n - 1].place, "the routes name too many user-files",
                          "at most 256 different ones");
    }
    for (uint32_t i = 0; i < n; i++)
        check_user_file(f, &files[i]);
}
