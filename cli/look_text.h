/* SPDX-License-Identifier: MIT */
/* What a look at services says, as `status` prints it. */
#ifndef CLI_LOOK_TEXT_H
#define CLI_LOOK_TEXT_H

#include <jansson.h>

#include "cli/look.h"

/* The members "services" and "health" of an environment in status --json; null where there is nothing. New
 * references. */
json_t *look_services_json(const struct look_services *s);
json_t *look_health_json(const struct look_services *s);
/* One cell of the table. */
void look_services_cell(const struct look_services *s, struct strbuf *out);
void look_health_cell(const struct look_services *s, struct strbuf *out);
/* Lines below the table: hosts that did not answer, services that are not as they should be. */
void look_services_troubles(const char *env, const struct look_services *s, struct strbuf *out);
/* Whether --check must not pass over it. What is not known is not as it should be. */
bool look_services_wrong(const struct look_services *s);

#endif
