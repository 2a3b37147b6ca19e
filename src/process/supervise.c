#include "process/supervise.h"

#include "base/wire.h"
#include "process/skeleton.h"

const struct ipc_allowed supervise_to_child[] = {
    {SUPERVISE_HELLO, SUPERVISE_HELLO_OCTETS, SUPERVISE_HELLO_OCTETS, 1},
    {SUPERVISE_GRANT, SUPERVISE_GRANT_OCTETS, SUPERVISE_GRANT_OCTETS, 1},
    {SUPERVISE_PEER, SUPERVISE_PEER_OCTETS, SUPERVISE_PEER_OCTETS, 1},
    {SUPERVISE_START, 0, 0, 0},
    {SUPERVISE_CONFIG, 4, 4, 1},
    {SUPERVISE_DRAIN, 1, 1, 0},
    {SUPERVISE_PING, 8, 8, 0},
    {SUPERVISE_REPORT, 4, 4, 0},
    {SUPERVISE_ANSWER, 4, 4 + SUPERVISE_TEXT_OCTETS, 0},
};
const unsigned supervise_to_child_n = sizeof supervise_to_child / sizeof supervise_to_child[0];

const struct ipc_allowed supervise_from_child[] = {
    {SUPERVISE_READY, 1, 1, 0},
    {SUPERVISE_FAILED, 0, SUPERVISE_REASON_OCTETS, 0},
    {SUPERVISE_MAP, 0, 0, 1},
    {SUPERVISE_PONG, 8, 8, 0},
    {SUPERVISE_LOST, SUPERVISE_PEER_OCTETS, SUPERVISE_PEER_OCTETS, 0},
    {SUPERVISE_STATUS, 4, 4 + SUPERVISE_STATUS_OCTETS, 0},
    {SUPERVISE_QUESTION, 4, 4, 0},
    {SUPERVISE_DRAINING, 0, 0, 0},
};
const unsigned supervise_from_child_n = sizeof supervise_from_child / sizeof supervise_from_child[0];

void supervise_hello_put(struct buf *b, const struct supervise_hello *m)
{
    wire_put_u16(b, SUPERVISE_VERSION);
    wire_put_u8(b, m->role);
    wire_put_u8(b, m->insecure_no_sandbox);
    wire_put_u8(b, m->debug_sandbox);
    wire_put_u8(b, m->listeners_shared);
    const uint32_t numbers[] = {m->index, m->generation, m->n_edges,    m->column,    m->uid,
                                m->gid,   m->group,      m->pool.small, m->pool.large};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        wire_put_u32(b, numbers[i]);
}

bool supervise_hello_read(struct span payload, struct supervise_hello *ret)
{
    struct wire w = wire_on(payload);
    struct supervise_hello m;
    uint16_t version = wire_u16(&w);
    m.role = wire_u8(&w);
    m.insecure_no_sandbox = wire_u8(&w);
    m.debug_sandbox = wire_u8(&w);
    m.listeners_shared = wire_u8(&w);
    m.index = wire_u32(&w);
    m.generation = wire_u32(&w);
    m.n_edges = wire_u32(&w);
    m.column = wire_u32(&w);
    m.uid = wire_u32(&w);
    m.gid = wire_u32(&w);
    m.group = wire_u32(&w);
    m.pool.small = wire_u32(&w);
    m.pool.large = wire_u32(&w);
    if (!wire_done(&w) || version != SUPERVISE_VERSION || m.role == PROC_SUPERVISOR ||
        m.role >= PROC_ROLE_COUNT || m.index >= LIMIT_EDGES_MAX || m.n_edges > LIMIT_EDGES_MAX)
        return false;
    *ret = m;
    return true;
}

void supervise_grant_put(struct buf *b, const struct supervise_grant *m)
{
    wire_put_u8(b, m->kind);
    wire_put_u32(b, m->a);
    wire_put_u32(b, m->b);
}

bool supervise_grant_read(struct span payload, struct supervise_grant *ret)
{
    struct wire w = wire_on(payload);
    struct supervise_grant m;
    m.kind = wire_u8(&w);
    m.a = wire_u32(&w);
    m.b = wire_u32(&w);
    if (!wire_done(&w) || m.kind >= GRANT_COUNT) return false;
    *ret = m;
    return true;
}

void supervise_peer_put(struct buf *b, const struct supervise_peer *m)
{
    wire_put_u8(b, m->role);
    wire_put_u32(b, m->index);
    wire_put_u32(b, m->generation);
    wire_put_u32(b, m->serial);
}

bool supervise_peer_read(struct span payload, struct supervise_peer *ret)
{
    struct wire w = wire_on(payload);
    struct supervise_peer m;
    m.role = wire_u8(&w);
    m.index = wire_u32(&w);
    m.generation = wire_u32(&w);
    m.serial = wire_u32(&w);
    if (!wire_done(&w) || m.role == PROC_SUPERVISOR || m.role >= PROC_ROLE_COUNT ||
        m.index >= LIMIT_EDGES_MAX)
        return false;
    *ret = m;
    return true;
}
