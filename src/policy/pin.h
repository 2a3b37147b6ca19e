/* pin: which devices may send without logging in, and in whose name: an address of a sender bound to a network of clients. */
#ifndef POLICY_PIN_H
#define POLICY_PIN_H

#include "policy/network.h"

struct pin {
    struct span sender; /* path_canonical */
    struct network from;
};

/* Is the client a device that is listed at all? */
bool pin_holds(const struct pin *pins, uint32_t n, const struct address *client);
/* May it send from there? sender: of path_key. Only a listed address: never the null reverse-path. */
bool pin_permits(const struct pin *pins, uint32_t n, const struct address *client, struct span sender);
#define PIN_REFUSED                                                                                          \
    "This sender is not listed for your address: see sender in the configuration" /* 553 5.7.1 */
#define PIN_FROM_REFUSED                                                                                     \
    "From or Sender names an address not listed for your address: see sender in the configuration" /* 550 */

#endif
