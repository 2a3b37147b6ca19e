/* The addresses of a From field: it ends, and whatever is an address is one piece with an '@' inside. */
#include <stdlib.h>

#include "mail/mailbox_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size), address;
    enum mailbox_list_answer a;
    size_t left = size + 1;
    while ((a = mailbox_list_next(&rest, &address)) == MAILBOX_LIST_ADDRESS) {
        must(rest.n < left);
        left = rest.n;
        must(address.p >= data && address.p + address.n <= data + size);
        size_t at = span_rfind(address, '@');
        must(at != SPAN_NPOS && at > 0 && at + 1 < address.n);
        for (size_t i = address.p[0] == '"' ? at : 0; i < address.n; i++)
            must(address.p[i] > ' ' && address.p[i] != '<' && address.p[i] != '>' && address.p[i] != ',');
    }
    must(a != MAILBOX_LIST_END || rest.n == 0);
    return 0;
}
