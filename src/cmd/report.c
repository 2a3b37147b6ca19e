#include "cmd/report.h"

#include <time.h>
#include <unistd.h>

#include "cmd/complain.h"

#define HINT "journalctl -u sallyport -o cat | sallyport report legacy"

int command_report(struct command_call *v)
{
    const char *since = NULL;
    const struct command_option options[] = {{"--since", &since, false, false}};
    uint64_t since_ms = 0;
    int words;

    if (!command_options(v, options, 1, &words)) return EXIT_USAGE;
    if (words == 0 || strcmp(v->argv[1], "legacy") != 0)
        return command_usage(v, "say which report: legacy", words ? v->argv[1] : NULL);
    if (since && !log_lines_since(span_str(since), (uint64_t)time(NULL) * 1000, &since_ms))
        return command_usage(v, "--since is a time like 12h or 30d, or a day like 2026-11-25", since);
    if (words == 1 && isatty(STDIN_FILENO))
        return command_usage(v, "name a file of the log, or: " HINT, NULL);
    struct log_lines *lines = log_lines_open(v->argv + 2, (size_t)words - 1, since_ms);
    if (!lines) return complain(EXIT_NO, "no memory");
    int code = report_legacy(v, lines);
    log_lines_close(&lines);
    return code;
}
