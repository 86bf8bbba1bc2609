/* SPDX-License-Identifier: MIT */
#include "core/migrate/source_graph.h"

#include <stdlib.h>
#include <string.h>

struct graph_node *graph_add(struct graph *g, struct migration *m, const char *path)
{
	mem_grow(&g->node, &g->cap, g->n + 1, sizeof(*g->node));
	g->node[g->n] = (struct graph_node){ .m = m, .path = path };
	return &g->node[g->n++];
}

static int node_key_cmp(const struct graph_node *x, const char *ns, const char *id)
{
	int d = strcmp(x->m->ns, ns);

	return d != 0 ? d : strcmp(x->m->id, id);
}

static int node_cmp(const void *a, const void *b)
{
	const struct graph_node *x = a, *y = b;
	int d = node_key_cmp(x, y->m->ns, y->m->id);

	return d != 0 ? d : strcmp(x->path, y->path);
}

void graph_sort(struct graph *g)
{
	if (g->n > 1)
		qsort(g->node, g->n, sizeof(*g->node), node_cmp);
}

size_t graph_find(const struct graph *g, const char *ns, const char *id)
{
	size_t low = 0, high = g->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (node_key_cmp(&g->node[mid], ns, id) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < g->n && node_key_cmp(&g->node[low], ns, id) == 0 ? low : g->n;
}

void graph_edge(struct graph *g, size_t child, size_t parent)
{
	struct graph_node *c = &g->node[child];

	for (size_t i = 0; i < c->n_parent; i++)
		if (c->parent[i] == parent)
			return;
	mem_grow(&c->parent, &c->cap_parent, c->n_parent + 1, sizeof(*c->parent));
	c->parent[c->n_parent++] = parent;
	if (strcmp(c->m->ns, g->node[parent].m->ns) == 0)
		g->node[parent].has_child = true;
}

static int index_cmp(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

enum colour { WHITE, OPEN, DONE };

struct order {
	struct source_walk *w;
	struct graph *g;
	unsigned char *colour;
	size_t *next; /* of each open node: how many of its parents are still to be seen */
	size_t *stack, *out;
	size_t n_out;
};

static void report_circle(struct order *o, size_t from, size_t depth)
{
	struct strbuf names;
	size_t i = depth;

	strbuf_init(&names, 2048);
	while (i > 0 && o->stack[i - 1] != from)
		i--;
	for (i = i > 0 ? i - 1 : 0; i < depth; i++)
		strbuf_addf(&names, "%s, ", o->g->node[o->stack[i]].m->id);
	source_problem_add(o->w->s, true, o->g->node[from].path,
			   "change what one of them depends on",
			   "a circle: each depends on the next: %s%s", strbuf_str(&names),
			   o->g->node[from].m->id);
	strbuf_clear(&names);
}

/* Depth first from one node, without recursion: the greatest parent is entered first. */
static void visit(struct order *o, size_t start)
{
	size_t depth = 0;

	if (o->colour[start] != WHITE)
		return;
	o->stack[depth++] = start;
	o->colour[start] = OPEN;
	o->next[start] = o->g->node[start].n_parent;
	while (depth > 0) {
		size_t at = o->stack[depth - 1], parent;

		if (o->next[at] == 0) {
			o->colour[at] = DONE;
			o->out[o->n_out++] = at;
			depth--;
			continue;
		}
		parent = o->g->node[at].parent[--o->next[at]];
		if (o->colour[parent] == OPEN) {
			report_circle(o, parent, depth);
		} else if (o->colour[parent] == WHITE) {
			o->colour[parent] = OPEN;
			o->next[parent] = o->g->node[parent].n_parent;
			o->stack[depth++] = parent;
		}
	}
}

static void add_pair(struct source_walk *w, struct graph *g, size_t i, size_t place)
{
	struct arena *a = &w->s->arena;
	struct graph_node *node = &g->node[i];
	const char **depends = arena_alloc(a, (node->n_parent + 1) * sizeof(*depends));
	struct source_pair *p;

	for (size_t k = 0; k < node->n_parent; k++) {
		const struct migration *m = g->node[node->parent[k]].m;

		depends[k] = arena_printf(a, "%s/%s", m->ns, m->id);
	}
	node->m->depends = depends;
	node->m->n_depends = node->n_parent;
	node->m->sort_key = source_place_key(a, place);
	node->m->framework = true;
	p = source_pair_add(w, sv_of(node->m->id));
	p->as = node->m;
	p->up = node->path;
}

void graph_finish(struct source_walk *w, struct graph *g)
{
	struct order o = { .w = w, .g = g };

	o.colour = mem_calloc(g->n + 1, 1);
	o.next = mem_calloc(g->n + 1, sizeof(*o.next));
	o.stack = mem_calloc(g->n + 1, sizeof(*o.stack));
	o.out = mem_calloc(g->n + 1, sizeof(*o.out));
	for (size_t i = 0; i < g->n; i++)
		if (g->node[i].n_parent > 1)
			qsort(g->node[i].parent, g->node[i].n_parent, sizeof(size_t), index_cmp);
	for (size_t i = 0; i < g->n; i++)
		if (!g->node[i].has_child)
			visit(&o, i);
	for (size_t i = 0; i < g->n; i++) /* what only a circle leads to */
		visit(&o, i);
	for (size_t i = 0; i < o.n_out; i++)
		add_pair(w, g, o.out[i], i);
	mem_free(o.colour);
	mem_free(o.next);
	mem_free(o.stack);
	mem_free(o.out);
}

void graph_clear(struct graph *g)
{
	for (size_t i = 0; i < g->n; i++)
		mem_free(g->node[i].parent);
	mem_free(g->node);
	*g = (struct graph){ 0 };
}

bool graph_read(struct source_walk *w, const char *path, struct migration *m, struct digest *d,
		struct strbuf *text)
{
	struct err e;

	if (source_read_text(w->dirfd, path + w->dir_len, path, text, &e) != 0) {
		source_problem_add(w->s, true, path, e.hint, "%s%s%s", e.msg,
				   e.detail[0] != '\0' ? ": " : "", e.detail);
		return false;
	}
	m->up_bytes = (int64_t)text->len;
	migration_checksum(d, strbuf_sv(text), m->checksum);
	return true;
}
