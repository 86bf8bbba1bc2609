/* SPDX-License-Identifier: MIT */
/*
 * Keys to actions.
 *
 * The map is a short list of keys per action: one start fills it from the action table, keys.ini
 * replaces whole lists. A line replaces what its action had, so to move a key two lines are needed
 * (give it to one, take it from the other); that is on purpose: a key that silently stopped doing
 * what the help says would be worse. So two actions on one key are a mistake naming both places.
 *
 * Key names: one character ("j", "!", "é"), "Ctrl-X", and the words of named_keys. Names are
 * compared without regard to case except single characters.
 */
#include "tui/keys.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/ini.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"

#define KEYS_PER_ACTION 8
#define KEY_LINE_MAX 4096
#define KEY_NAME_SIZE 24

struct binding {
	int32_t key[KEYS_PER_ACTION];
	int n;
	int line;                  /* in keys.ini; 0: the default */
	char first[KEY_NAME_SIZE]; /* name of key[0] */
};

struct keymap {
	struct binding action[ACTIONS];
};

static const struct {
	const char *name;
	int32_t key;
} named_keys[] = {
	{ "Up", KEYS_UP },
	{ "Down", KEYS_DOWN },
	{ "Left", KEYS_LEFT },
	{ "Right", KEYS_RIGHT },
	{ "Home", KEYS_HOME },
	{ "End", KEYS_END },
	{ "PageUp", KEYS_PAGE_UP },
	{ "PageDown", KEYS_PAGE_DOWN },
	{ "Backspace", KEYS_BACKSPACE },
	{ "Delete", KEYS_DELETE },
	{ "Backtab", KEYS_BACKTAB },
	{ "Enter", '\r' },
	{ "Tab", '\t' },
	{ "Esc", 27 },
	{ "Space", ' ' },
	{ "Semicolon", ';' }, /* as itself it would start a comment */
};
#define N_NAMED (sizeof(named_keys) / sizeof(named_keys[0]))

static bool name_is(struct sv name, const char *word)
{
	return name.n == strlen(word) && strncasecmp(name.p, word, name.n) == 0;
}

int32_t key_of(struct sv name)
{
	uint32_t cp;
	int64_t number;

	if (name.n == 0)
		return -1;
	if (utf8_decode(name, &cp) == name.n)
		return cp > ' ' && cp != 127 && utf8_width(cp) > 0 ? (int32_t)cp : -1;
	for (size_t i = 0; i < N_NAMED; i++)
		if (name_is(name, named_keys[i].name))
			return named_keys[i].key;
	if ((name.p[0] == 'F' || name.p[0] == 'f') &&
	    sv_int(sv_n(name.p + 1, name.n - 1), 1, 12, &number))
		return KEYS_F1 + (int32_t)number - 1;
	if (name.n == 6 && strncasecmp(name.p, "Ctrl-", 5) == 0) {
		char ch = name.p[5];

		if (ch >= 'a' && ch <= 'z')
			ch = (char)(ch - 'a' + 'A');
		if (ch >= '@' && ch <= '_')
			return ch - '@';
	}
	return -1;
}

void keys_name(int32_t key, struct strbuf *out)
{
	char text[4];

	for (size_t i = 0; i < N_NAMED; i++)
		if (named_keys[i].key == key) {
			strbuf_adds(out, named_keys[i].name);
			return;
		}
	if (key >= KEYS_F1 && key <= KEYS_F12)
		strbuf_addf(out, "F%d", (int)(key - KEYS_F1 + 1));
	else if (key >= 0 && key < 32)
		strbuf_addf(out, "Ctrl-%c", (char)(key + '@'));
	else if (key > 32 && key <= 0x10ffff)
		strbuf_add(out, text, utf8_encode((uint32_t)key, text));
}

static void binding_name(struct binding *b)
{
	struct strbuf name;

	strbuf_init(&name, KEY_NAME_SIZE - 1);
	if (b->n > 0)
		keys_name(b->key[0], &name);
	str_copy(b->first, sizeof(b->first), strbuf_str(&name));
	strbuf_clear(&name);
}

struct keymap *keymap_default(void)
{
	struct keymap *k = mem_calloc(1, sizeof(*k));

	for (int act = 0; act < ACTIONS; act++) {
		struct sv rest = sv_of(action_table[act].keys), word;
		struct binding *b = &k->action[act];

		while (sv_cut(&rest, ' ', &word))
			if (word.n > 0 && b->n < KEYS_PER_ACTION)
				b->key[b->n++] = key_of(word);
		binding_name(b);
	}
	return k;
}

void keymap_free(struct keymap *k)
{
	mem_free(k);
}

enum action keymap_action(const struct keymap *k, int32_t key)
{
	/* Terminals send CR or LF for Enter and 8 or 127 for Backspace. */
	if (key == '\n')
		key = '\r';
	for (int act = 0; act < ACTIONS; act++)
		for (int i = 0; i < k->action[act].n; i++)
			if (k->action[act].key[i] == key)
				return (enum action)act;
	return ACT_NONE;
}

const char *keymap_key(const struct keymap *k, enum action act)
{
	return k->action[act].first;
}

void keymap_keys(const struct keymap *k, enum action act, struct strbuf *out)
{
	for (int i = 0; i < k->action[act].n; i++) {
		if (i > 0)
			strbuf_addc(out, ' ');
		keys_name(k->action[act].key[i], out);
	}
}

/* --- keys.ini --------------------------------------------------------------------------------- */

struct loader {
	struct keymap *map;
	struct ini_mistakes mistakes;
};

static void unknown_action(struct loader *l, const struct ini_item *item)
{
	const char *names[ACTIONS];
	const char *near;

	for (int i = 0; i < ACTIONS; i++)
		names[i] = action_table[i].name;
	near = str_nearest(item->key, names, ACTIONS);
	ini_mistake(&l->mistakes, item->line, "unknown action `%s`%s%s%s", item->key,
		    near ? ", did you mean `" : "", near ? near : "", near ? "`?" : "");
}

static void load_pair(struct loader *l, const struct ini_item *item)
{
	enum action act = action_of(item->key);
	struct sv rest = sv_of(item->value), word;
	struct binding b = { .line = item->line };

	if (act == ACT_NONE) {
		unknown_action(l, item);
		return;
	}
	if (l->map->action[act].line > 0) {
		ini_mistake(&l->mistakes, item->line, "`%s` was given its keys in line %d already",
			    item->key, l->map->action[act].line);
		return;
	}
	while (sv_cut(&rest, ' ', &word)) {
		int32_t key = key_of(word);

		if (word.n == 0 || name_is(word, "none"))
			continue;
		if (key < 0)
			ini_mistake(&l->mistakes, item->line, "unknown key `%.*s`", (int)word.n,
				    word.p);
		else if (b.n == KEYS_PER_ACTION)
			ini_mistake(&l->mistakes, item->line, "more than %d keys for `%s`",
				    KEYS_PER_ACTION, item->key);
		else
			b.key[b.n++] = key;
	}
	binding_name(&b);
	l->map->action[act] = b;
}

static void load_item(void *arg, const struct ini_item *item)
{
	struct loader *l = arg;

	switch (item->event) {
	case INI_MISTAKE:
		ini_mistake(&l->mistakes, item->line, "%s", item->value);
		break;
	case INI_SECTION:
		if (strcmp(item->section, "keys") != 0)
			ini_mistake(&l->mistakes, item->line,
				    "unknown section [%s], only [keys] is known", item->section);
		break;
	case INI_PAIR:
		if (strcmp(item->section, "keys") != 0)
			ini_mistake(&l->mistakes, item->line, "`%s` stands outside of [keys]",
				    item->key);
		else
			load_pair(l, item);
		break;
	}
}

/* One key for two actions; the later line is the mistake. */
static void clash(struct loader *l, enum action a, enum action b, int32_t key)
{
	const struct binding *one = &l->map->action[a], *two = &l->map->action[b];
	struct strbuf name;

	if (one->line > two->line) {
		enum action swap = a;

		a = b;
		b = swap;
		one = &l->map->action[a];
		two = &l->map->action[b];
	}
	strbuf_init(&name, KEY_NAME_SIZE);
	keys_name(key, &name);
	if (one->line > 0)
		ini_mistake(&l->mistakes, two->line,
			    "key `%s` of `%s` is the key of `%s` in line %d", strbuf_str(&name),
			    action_table[b].name, action_table[a].name, one->line);
	else
		ini_mistake(
			&l->mistakes, two->line,
			"key `%s` of `%s` is a default key of `%s`: give that one other keys or "
			"`none`",
			strbuf_str(&name), action_table[b].name, action_table[a].name);
	strbuf_clear(&name);
}

static void find_clashes(struct loader *l)
{
	for (int a = 0; a < ACTIONS; a++)
		for (int b = a + 1; b < ACTIONS; b++)
			for (int i = 0; i < l->map->action[a].n; i++)
				for (int k = 0; k < l->map->action[b].n; k++)
					if (l->map->action[a].key[i] == l->map->action[b].key[k])
						clash(l, (enum action)a, (enum action)b,
						      l->map->action[a].key[i]);
}

int keymap_load(struct keymap *k, struct sv text, const char *path, struct err *e)
{
	struct keymap fresh = *k;
	struct loader l = { .map = &fresh };
	int ret;

	for (int act = 0; act < ACTIONS; act++)
		fresh.action[act].line = 0;
	ini_mistakes_begin(&l.mistakes);
	ini_scan(text, KEY_LINE_MAX, load_item, &l);
	find_clashes(&l);
	ret = ini_mistakes_end(&l.mistakes, path, e);
	if (ret == 0)
		*k = fresh;
	return ret;
}
