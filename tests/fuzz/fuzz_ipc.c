/* The IPC packet parser: whatever a compromised peer puts into a packet, messages stay inside it and inside their table. */
#include <stdlib.h>

#include "system/ipc_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ipc_allowed allowed[] = {{1, 0, 0, 0}, {2, 1, 64, 0}, {3, 8, 8, 1}, {4, 0, 60000, 0}};
    enum { N = sizeof allowed / sizeof allowed[0] };
    if (size == 0) return 0;
    unsigned n_fds = data[0] % 3;
    struct span packet = span_of(data + 1, size - 1);
    const uint8_t *end = data + size;
    struct ipc_parsed m;
    while (packet.n > 0) {
        size_t before = packet.n;
        if (!ipc_packet_next(&packet, allowed, N, n_fds, &m)) {
            if (packet.n != before) abort();
            break;
        }
        unsigned i = 0;
        while (i < N && allowed[i].type != m.type)
            i++;
        if (i == N || m.payload.n < allowed[i].min || m.payload.n > allowed[i].max || allowed[i].fds != n_fds)
            abort();
        if (before - packet.n != m.payload.n + IPC_HEADER_OCTETS) abort();
        if (m.payload.p + m.payload.n != packet.p || packet.p + packet.n != end) abort();
        if (n_fds > 0 && packet.n > 0) abort();
    }
    return 0;
}
