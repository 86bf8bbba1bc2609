/* SPDX-License-Identifier: MIT */
#include "tui/input.h"

#include <curses.h>

#include "core/base/mem.h"
#include "tui/keys.h"

/* Key codes of our own, behind all of curses'. */
enum { CODE_PASTE_BEGIN = KEY_MAX + 1000, CODE_PASTE_END };

/* A lone Esc is told from a sequence after this long; curses' default of a second can be felt. */
#define ESC_DELAY_MS 25

#define ESC 27

struct input {
	WINDOW *pad; /* reading from a window would refresh it; a pad is never drawn by reading */
	bool in_sequence;
};

struct input *input_open(void)
{
	struct input *in = mem_calloc(1, sizeof(*in));

	set_escdelay(ESC_DELAY_MS);
	define_key("\033[200~", CODE_PASTE_BEGIN);
	define_key("\033[201~", CODE_PASTE_END);
	in->pad = newpad(1, 1);
	keypad(in->pad, TRUE);
	nodelay(in->pad, TRUE);
	return in;
}

void input_close(struct input *in)
{
	if (!in)
		return;
	if (in->pad)
		delwin(in->pad);
	mem_free(in);
}

static int32_t function_key(wint_t code)
{
	static const struct {
		wint_t code;
		int32_t key;
	} keys[] = {
		{ KEY_UP, KEYS_UP },
		{ KEY_DOWN, KEYS_DOWN },
		{ KEY_LEFT, KEYS_LEFT },
		{ KEY_RIGHT, KEYS_RIGHT },
		{ KEY_HOME, KEYS_HOME },
		{ KEY_END, KEYS_END },
		{ KEY_PPAGE, KEYS_PAGE_UP },
		{ KEY_NPAGE, KEYS_PAGE_DOWN },
		{ KEY_BACKSPACE, KEYS_BACKSPACE },
		{ KEY_DC, KEYS_DELETE },
		{ KEY_BTAB, KEYS_BACKTAB },
		{ KEY_ENTER, '\r' },
		{ CODE_PASTE_BEGIN, KEYS_PASTE_BEGIN },
		{ CODE_PASTE_END, KEYS_PASTE_END },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].code == code)
			return keys[i].key;
	if (code >= KEY_F(1) && code <= KEY_F(12))
		return KEYS_F1 + (int32_t)(code - KEY_F(1));
	return KEYS_NONE;
}

/*
 * A sequence that curses does not know begins with ESC as well: keys that the terminal's description lacks, or all
 * of them where TERM names another terminal. None of its bytes is a key: the A of an arrow would arm.
 */
static bool begins_sequence(struct input *in)
{
	wint_t code, last;
	int rc = wget_wch(in->pad, &code);

	if (rc == ERR)
		return false;
	if (rc == OK && code == '[') {
		in->in_sequence = true;
		return true;
	}
	if (rc == OK && code == 'O' && wget_wch(in->pad, &last) != ERR)
		return true;
	if (rc == OK)
		unget_wch((wchar_t)code);
	else
		ungetch((int)code);
	return false;
}

/* Parameters go on, a letter or ~ is the last; what is neither stands behind one that was cut off. */
static bool goes_on(struct input *in, wint_t code)
{
	bool was = in->in_sequence;

	in->in_sequence = was && code >= ' ' && code < '@';
	return was && code >= ' ' && code <= '~';
}

int32_t input_key(struct input *in)
{
	wint_t code;

	/* Keys we have no use for are passed over, so that NONE means that nothing is waiting. */
	for (;;) {
		int rc = wget_wch(in->pad, &code);
		int32_t key;

		if (rc == ERR)
			return KEYS_NONE;
		if (rc == KEY_CODE_YES) {
			in->in_sequence = false;
			key = function_key(code);
			if (key != KEYS_NONE)
				return key;
		} else if (!goes_on(in, code) && !(code == ESC && begins_sequence(in))) {
			return (int32_t)code;
		}
	}
}
