#include "policy/pin.h"

bool pin_holds(const struct pin *pins, uint32_t n, const struct address *client)
{
    for (uint32_t i = 0; i < n; i++)
        if (network_holds(&pins[i].from, client)) return true;
    return false;
}

bool pin_permits(const struct pin *pins, uint32_t n, const struct address *client, struct span sender)
{
    for (uint32_t i = 0; i < n; i++)
        if (network_holds(&pins[i].from, client) && span_eq(pins[i].sender, sender)) return true;
    return false;
}
