/* dsn_print: a notification on standard output, for dsn_check.py. Arguments: utf8 (0 or 1), full (0 or 1), then of each
 * recipient: final, orcpt, status, diagnostic, remote. The content comes on standard input. */
#include "mail/dsn.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static uint8_t content[1 << 20];
    struct dsn_recipient r[8] = {{.action = DSN_FAILED}};
    struct dsn d = {.host = SPAN("mail.example.org"),
                    .to = SPAN("alice@example.org"),
                    .envid = SPAN("env id=1"),
                    .id = SPAN("1abcdefghijkm"),
                    .arrival_seconds = 1795620000,
                    .now_seconds = 1795620600,
                    .seed = 42,
                    .content = {content, fread(content, 1, sizeof content, stdin)},
                    .content_whole = true,
                    .recipients = r};
    if (argc < 3) return 2;
    d.utf8 = argv[1][0] == '1';
    d.full = argv[2][0] == '1';
    for (int i = 3; i + 4 < argc && d.n < 8; i += 5)
        r[d.n++] = (struct dsn_recipient){DSN_FAILED,
                                          span_str(argv[i]),
                                          span_str(argv[i + 1]),
                                          span_str(argv[i + 2]),
                                          span_str(argv[i + 3]),
                                          span_str(argv[i + 4]),
                                          0,
                                          0,
                                          {NULL, 0},
                                          false};
    size_t max = dsn_octets(&d);
    uint8_t *memory = malloc(max);
    if (!memory) return 2;
    struct buf b = buf_on(memory, max);
    dsn_put(&b, &d);
    if (b.over || fwrite(b.p, 1, b.n, stdout) != b.n) return 1;
    free(memory);
    return 0;
}
