/* Any octets: the status of a prefix never contradicts the status of the whole, and nothing outside is read (ASan). */
#include <stdlib.h>

#include "policy/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header h;
    size_t n = 0;
    enum proxy_status whole = proxy_header_parse(span_of(data, size), &h, &n);
    if (whole == PROXY_OK && (n == 0 || n > size || n > PROXY_HEADER_OCTETS_MAX)) abort();
    if (whole == PROXY_MORE && size >= PROXY_HEADER_OCTETS_MAX) abort();
    for (size_t cut = 0; cut < size && cut < 64; cut++) {
        size_t m = 0;
        enum proxy_status part = proxy_header_parse(span_of(data, cut), &h, &m);
        if (part == PROXY_OK && (whole != PROXY_OK || m != n)) abort();
        if (part == PROXY_BAD && whole != PROXY_BAD) abort();
    }
    return 0;
}
