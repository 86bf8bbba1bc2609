/* SPDX-License-Identifier: MIT */
/* Keys to actions: the defaults of the action table, changed by keys.ini. */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H

#include <stdint.h>

#include "core/base/str.h"
#include "tui/actions.h"

/* A key: a code point, or one of these above the Unicode range. Ctrl-X is its control code. */
enum key_code {
	KEYS_BASE = 0x200000,
	KEYS_UP,
	KEYS_DOWN,
	KEYS_LEFT,
	KEYS_RIGHT,
	KEYS_HOME,
	KEYS_END,
	KEYS_PAGE_UP,
	KEYS_PAGE_DOWN,
	KEYS_BACKSPACE,
	KEYS_DELETE,
	KEYS_BACKTAB,
	KEYS_RESIZE,
	KEYS_PASTE_BEGIN,
	KEYS_PASTE_END,
	KEYS_F1,
	KEYS_F12 = KEYS_F1 + 11,
	KEYS_NONE
};

struct keymap; /* key -> action */

struct keymap *keymap_default(void);
/* keys.ini: `[keys]` with `action = key key …` replacing the action's keys, `none` unbinding. Errors: unknown
 * action (nearest name), unknown key, one key for two actions (naming both lines). All at once in
 * e->detail, one per line. path names the file. */
int keymap_load(struct keymap *k, struct sv text, const char *path, struct err *e) MUST_CHECK;
void keymap_free(struct keymap *k);
enum action keymap_action(const struct keymap *k, int32_t key);
/* First key of an action as shown ("j", "Enter", "Ctrl-D"), "" when it has none. */
const char *keymap_key(const struct keymap *k, enum action act);
/* All of them, blank-separated. */
void keymap_keys(const struct keymap *k, enum action act, struct strbuf *out);
int32_t key_of(struct sv name); /* -1 */
void keys_name(int32_t key, struct strbuf *out);

#endif
