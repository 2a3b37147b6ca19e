/* The keytab of kerberos { }. It is read, and wiped. */
#include "service/config_files_private.h"
#include "service/config_load.h"
#include "service/kerberos.h"

void config_files_kerberos(const struct config_files *f)
{
    const struct config_kerberos *k = &f->config->kerberos;
    struct span text = {NULL, 0};
    if (!k->given) return;
    const struct config_place place = config_said(f->config, "kerberos");
    struct arena *arena = arena_create(2 * LIMIT_KEYTAB_OCTETS);
    const char *path = config_files_text(k->keytab_file);
    const char *why = arena ? config_load_file(arena, path, LIMIT_KEYTAB_OCTETS, &text) : "no memory";
    if (why) {
        config_files_unreadable(f, place, "the keytab", k->keytab_file, why);
    } else {
        const char *wrong = kerberos_keytab_wrong(text, k);
        if (wrong)
            config_report_add(f->report, CONFIG_ERROR, place,
                              CONFIG_FILES_SAY("the keytab ", path, ": ", wrong),
                              CONFIG_FILES_ADVISE("klist -ekt ", path, " shows what is in it"));
        config_files_secret_mode(f, place, "keytab", k->keytab_file);
        config_files_wipe(text);
    }
    arena_destroy(&arena);
}
