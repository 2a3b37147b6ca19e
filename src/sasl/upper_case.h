/* upper_case: one UTF-16 unit in upper case, by a fixed table (tools/upper-case makes it): NTOWFv2 takes the user name so, whatever the
 * locale (MS-NLMP 3.3.2). Surrogates, and what has no single upper-case unit, stay as they are. */
#ifndef SASL_UPPER_CASE_H
#define SASL_UPPER_CASE_H

#include <stdint.h>

uint16_t upper_case(uint16_t unit);

#endif
