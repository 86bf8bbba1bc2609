/* SPDX-License-Identifier: MIT */
/*
 * What is being typed, and the box of the typed confirmation.
 *
 * Pasted text is data. In the palette, find, filter and a reason it is inserted as text, its line
 * ends dropped, so that nothing in it can press Enter. In a confirmation it is thrown away and the
 * screen says so: the point of typing a name is that a hand did it. A paste while no prompt is open
 * is thrown away as well: it must never be read as keys.
 *
 * Find and filter take effect while they are typed; Esc puts the former text back.
 *
 * The answer to a host may be a secret: it is wiped from here as soon as it was given. A pasted
 * passphrase is welcome, that is what password managers do; the four characters of a host key are
 * not, because somebody must have looked at them.
 *
 * This file is the keys; prompt_draw.c paints.
 */
#include "tui/prompt.h"

#include <string.h>

#include "core/base/utf8.h"
#include "tui/palette.h"
#include "tui/tui.h"

enum {
	KEY_CTRL_C = 3,
	KEY_CTRL_H = 8,
	KEY_CTRL_U = 21,
	KEY_CTRL_W = 23,
	KEY_ESC = 27,
	KEY_DEL = 127
};

static void prompt_close(struct prompt *p)
{
	if (p->kind == PROMPT_ANSWER)
		explicit_bzero(p->text, sizeof(p->text));
	p->kind = PROMPT_NONE;
	p->text[0] = p->expect[0] = p->title[0] = '\0';
	p->len = 0;
	p->paste_dropped = false;
	p->done = p->typed = NULL;
	p->answered = NULL;
	p->left = NULL;
	p->help = NULL;
	p->question = (struct host_question){ 0 };
}

static void prompt_begin(struct tui *t, enum prompt_kind kind)
{
	prompt_close(&t->prompt);
	t->prompt.kind = kind;
	t->prompt.at_history = t->prompt.n_history;
	t->dirty = true;
}

void prompt_open(struct tui *t, enum prompt_kind kind)
{
	prompt_begin(t, kind);
}

void prompt_confirm(struct tui *t, const char *name, void (*done)(struct tui *t, const char *text))
{
	prompt_begin(t, PROMPT_CONFIRM);
	str_copy(t->prompt.expect, sizeof(t->prompt.expect), name);
	t->prompt.done = done;
}

void prompt_ask(struct tui *t, const char *title, void (*done)(struct tui *t, const char *text))
{
	prompt_begin(t, PROMPT_ASK);
	str_copy(t->prompt.title, sizeof(t->prompt.title), title);
	t->prompt.done = done;
}

void prompt_yes(struct tui *t, const char *question, void (*done)(struct tui *t, const char *text))
{
	prompt_begin(t, PROMPT_YES);
	str_copy(t->prompt.title, sizeof(t->prompt.title), question);
	t->prompt.done = done;
}

void prompt_search(struct tui *t, const char *lead, const char *help,
		   void (*typed)(struct tui *t, const char *text),
		   void (*done)(struct tui *t, const char *text), void (*left)(struct tui *t))
{
	prompt_begin(t, PROMPT_SEARCH);
	str_copy(t->prompt.title, sizeof(t->prompt.title), lead);
	t->prompt.help = help;
	t->prompt.typed = typed;
	t->prompt.done = done;
	t->prompt.left = left;
}

void prompt_answer(struct tui *t, const struct host_question *q,
		   void (*answered)(struct tui *t, const struct host_question *q, const char *text))
{
	const struct host_question copy = *q; /* it may be the prompt's own, which ends here */

	prompt_begin(t, PROMPT_ANSWER);
	t->prompt.question = copy;
	t->prompt.answered = answered;
}

/* --- Editing ---------------------------------------------------------------------------------- */

static void text_set(struct prompt *p, const char *text)
{
	str_copy(p->text, sizeof(p->text), text);
	p->len = strlen(p->text);
}

static void text_insert(struct prompt *p, int32_t key)
{
	char bytes[4];
	size_t n;

	if (key < ' ' || key == KEY_DEL || key > 0x10ffff || (key >= 0xd800 && key <= 0xdfff))
		return;
	n = utf8_encode((uint32_t)key, bytes);
	if (utf8_width((uint32_t)key) < 0 || p->len + n >= sizeof(p->text))
		return;
	memcpy(p->text + p->len, bytes, n);
	p->len += n;
	p->text[p->len] = '\0';
}

static void text_rub_out(struct prompt *p)
{
	if (p->len > 0)
		p->len--;
	while (p->len > 0 && ((unsigned char)p->text[p->len] & 0xc0) == 0x80)
		p->len--;
	p->text[p->len] = '\0';
}

static void text_rub_out_word(struct prompt *p)
{
	while (p->len > 0 && p->text[p->len - 1] == ' ')
		text_rub_out(p);
	while (p->len > 0 && p->text[p->len - 1] != ' ')
		text_rub_out(p);
}

static bool text_edit(struct prompt *p, int32_t key)
{
	switch (key) {
	case KEYS_BACKSPACE:
	case KEY_CTRL_H:
	case KEY_DEL:
		text_rub_out(p);
		return true;
	case KEY_CTRL_U:
		text_set(p, "");
		return true;
	case KEY_CTRL_W:
		text_rub_out_word(p);
		return true;
	default:
		if (key < ' ' || key >= KEYS_BASE)
			return false;
		text_insert(p, key);
		return true;
	}
}

static void history_add(struct prompt *p)
{
	int max = (int)(sizeof(p->history) / sizeof(p->history[0]));

	if (p->len == 0 || (p->n_history > 0 && strcmp(p->history[p->n_history - 1], p->text) == 0))
		return;
	if (p->n_history == max) {
		memmove(p->history[0], p->history[1], sizeof(p->history) - sizeof(p->history[0]));
		p->n_history--;
	}
	str_copy(p->history[p->n_history++], sizeof(p->history[0]), p->text);
}

static void history_move(struct prompt *p, int step)
{
	int to = p->at_history + step;

	if (to < 0 || to > p->n_history)
		return;
	p->at_history = to;
	text_set(p, to < p->n_history ? p->history[to] : "");
}

/* --- Keys of each kind ------------------------------------------------------------------------ */

static void palette_enter(struct tui *t)
{
	char text[sizeof(t->prompt.text)];
	struct err e;

	history_add(&t->prompt);
	str_copy(text, sizeof(text), t->prompt.text);
	prompt_close(&t->prompt);
	if (palette_run(t, text, &e) != 0)
		model_news(&t->model, true, "%s%s%s", e.msg, e.detail[0] ? ": " : "", e.detail);
}

static void key_palette(struct tui *t, int32_t key)
{
	struct prompt *p = &t->prompt;

	if (key == '\r' || key == '\n')
		palette_enter(t);
	else if (key == '\t')
		p->len = palette_extend(t, p->text, sizeof(p->text)) ? strlen(p->text) : p->len;
	else if (key == KEYS_UP)
		history_move(p, -1);
	else if (key == KEYS_DOWN)
		history_move(p, 1);
	else if ((key == KEYS_BACKSPACE || key == KEY_DEL || key == KEY_CTRL_H) && p->len == 0)
		prompt_close(p);
	else
		text_edit(p, key);
}

static void key_search(struct tui *t, int32_t key)
{
	struct prompt *p = &t->prompt;
	bool find = p->kind == PROMPT_FIND;
	char *kept = find ? t->find : t->filter;

	if (key == '\r' || key == '\n') {
		/* Nothing was typed: what is in force from before ends. */
		if (p->len == 0)
			tui_action(t, find ? ACT_FIND : ACT_FILTER, "");
		str_copy(kept, sizeof(t->find), p->text);
		prompt_close(p);
	} else if (text_edit(p, key)) {
		tui_action(t, find ? ACT_FIND : ACT_FILTER, p->text);
	}
}

static void key_confirm(struct tui *t, int32_t key)
{
	struct prompt *p = &t->prompt;
	void (*done)(struct tui *, const char *) = p->done;
	char text[sizeof(p->text)];

	if (key != '\r' && key != '\n') {
		if (text_edit(p, key))
			p->paste_dropped = false;
		return;
	}
	if (p->kind == PROMPT_CONFIRM && strcmp(p->text, p->expect) != 0)
		return;
	if (p->kind == PROMPT_ASK && sv_trim(sv_of(p->text)).n == 0)
		return;
	str_copy(text, sizeof(text), p->text);
	prompt_close(p);
	if (done)
		done(t, text);
}

static void key_own_search(struct tui *t, int32_t key)
{
	struct prompt *p = &t->prompt;
	void (*done)(struct tui *, const char *) = p->done;
	char text[sizeof(p->text)];

	if (key == '\r' || key == '\n') {
		str_copy(text, sizeof(text), p->text);
		prompt_close(p);
		done(t, text);
	} else if (text_edit(p, key)) {
		p->typed(t, p->text);
	}
}

/* Nothing typed is no answer: Enter on it would only be a wrong one. The answer goes to the question that
 * was on the screen, whatever was asked since. */
static void key_answer(struct tui *t, int32_t key)
{
	struct prompt *p = &t->prompt;
	void (*answered)(struct tui *, const struct host_question *, const char *) = p->answered;
	const struct host_question q = p->question;
	char text[sizeof(p->text)];

	if (key != '\r' && key != '\n') {
		if (text_edit(p, key))
			p->paste_dropped = false;
		return;
	}
	if (p->len == 0)
		return;
	memcpy(text, p->text, sizeof(text));
	prompt_close(p);
	answered(t, &q, text);
	explicit_bzero(text, sizeof(text));
}

static void key_yes(struct tui *t, int32_t key)
{
	void (*done)(struct tui *, const char *) = t->prompt.done;

	prompt_close(&t->prompt);
	if ((key == 'y' || key == 'Y') && done)
		done(t, "y");
}

static void prompt_escape(struct tui *t)
{
	enum prompt_kind kind = t->prompt.kind;
	void (*left)(struct tui *) = t->prompt.left;

	prompt_close(&t->prompt);
	if (kind == PROMPT_SEARCH)
		left(t);
	if (kind == PROMPT_ANSWER)
		tui_ask_later(t);
	if (kind == PROMPT_FIND)
		tui_action(t, ACT_FIND, t->find);
	else if (kind == PROMPT_FILTER)
		tui_action(t, ACT_FILTER, t->filter);
	else if (kind == PROMPT_CONFIRM)
		model_news(&t->model, false, "not started, nothing was changed");
}

static void key_pasted(struct tui *t, int32_t key)
{
	struct prompt *p = &t->prompt;

	switch (p->kind) {
	case PROMPT_PALETTE:
	case PROMPT_ASK:
		text_insert(p, key);
		break;
	case PROMPT_FIND:
	case PROMPT_FILTER:
		text_insert(p, key);
		tui_action(t, p->kind == PROMPT_FIND ? ACT_FIND : ACT_FILTER, p->text);
		break;
	case PROMPT_SEARCH:
		text_insert(p, key);
		p->typed(t, p->text);
		break;
	case PROMPT_ANSWER:
		if (p->question.kind != HOST_QUESTION_KEY)
			text_insert(p, key);
		break;
	case PROMPT_CONFIRM:
	case PROMPT_YES:
	case PROMPT_NONE:
		break; /* dropped */
	}
}

static bool key_paste(struct tui *t, int32_t key)
{
	struct prompt *p = &t->prompt;

	if (key == KEYS_PASTE_BEGIN) {
		p->pasting = true;
		p->paste_dropped = p->kind == PROMPT_CONFIRM || p->kind == PROMPT_YES ||
				   (p->kind == PROMPT_ANSWER &&
				    p->question.kind == HOST_QUESTION_KEY);
		if (p->kind == PROMPT_NONE)
			model_news(&t->model, false, "a paste was dropped: nothing asks for text");
	} else if (key == KEYS_PASTE_END) {
		p->pasting = false;
	} else if (p->pasting) {
		key_pasted(t, key);
	} else {
		return false;
	}
	return true;
}

void prompt_key(struct tui *t, int32_t key)
{
	t->dirty = true;
	if (key_paste(t, key))
		return;
	if (key == KEY_ESC || key == KEY_CTRL_C) {
		prompt_escape(t);
		return;
	}
	switch (t->prompt.kind) {
	case PROMPT_PALETTE:
		key_palette(t, key);
		break;
	case PROMPT_FIND:
	case PROMPT_FILTER:
		key_search(t, key);
		break;
	case PROMPT_CONFIRM:
	case PROMPT_ASK:
		key_confirm(t, key);
		break;
	case PROMPT_SEARCH:
		key_own_search(t, key);
		break;
	case PROMPT_ANSWER:
		key_answer(t, key);
		break;
	case PROMPT_YES:
		key_yes(t, key);
		break;
	case PROMPT_NONE:
		break;
	}
}
