/* SPDX-License-Identifier: MIT */
/* log_fields: one line, read as JSON and as logfmt. Names and values lie one behind the other in the buffer, in order,
 * and the message is one of the values. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/logs/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void read_as(struct sv line, enum log_shape shape, size_t max)
{
	struct log_field field[40];
	struct strbuf buf, message;
	bool found = false;
	const char *at;
	size_t n;

	strbuf_init(&buf, STRBUF_NO_LIMIT);
	strbuf_init(&message, STRBUF_NO_LIMIT);
	strbuf_adds(&buf, "before");
	n = log_fields_read(line, shape, &buf, field, max);
	require(n <= max);
	at = buf.data + strlen("before");
	for (size_t i = 0; i < n; i++) {
		require(field[i].name.p == at);
		require(field[i].value.p == at + field[i].name.n);
		at = field[i].value.p + field[i].value.n;
	}
	require(at == buf.data + buf.len);
	log_message(line, shape, &message);
	for (size_t i = 0; i < n; i++)
		found |= sv_eq(field[i].value, strbuf_sv(&message));
	require(found || message.len == 0 || n == max);
	strbuf_clear(&buf);
	strbuf_clear(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);

	memcpy(copy, data, size);
	read_as(sv_n(copy, size), LOG_JSON, 40);
	read_as(sv_n(copy, size), LOG_JSON, 2);
	read_as(sv_n(copy, size), LOG_LOGFMT, 40);
	read_as(sv_n(copy, size), LOG_TEXT, 40);
	free(copy);
	return 0;
}
