/* SPDX-License-Identifier: MIT */
/*
 * The order of migrations that name their parents, for the layouts of Alembic and Django.
 *
 * A node is one file. Edges are indices. The order is Django's: from each leaf back over its
 * parents, the parents first; leaves and parents are taken by key. It gives chains as they are,
 * and a merge right behind its last branch.
 */
#ifndef MIGRATE_SOURCE_GRAPH_H
#define MIGRATE_SOURCE_GRAPH_H

#include "core/migrate/source_layout.h"

struct graph_node {
	struct migration *m; /* ns and id are set */
	const char *path;    /* of the source */
	size_t *parent;
	size_t n_parent, cap_parent;
	bool has_child; /* of the same namespace */
	bool replaced;  /* another one stands for it */
	void *own;      /* of the layout */
};

struct graph {
	struct graph_node *node; /* in the order of (ns, id) after graph_sort */
	size_t n, cap;
};

/* Adds a node; its pointer is good until the next one. */
struct graph_node *graph_add(struct graph *g, struct migration *m, const char *path);
/* Brings the nodes in the order of their keys; before any edge. */
void graph_sort(struct graph *g);
/* Index by key, or g->n. After graph_sort. */
size_t graph_find(const struct graph *g, const char *ns, const char *id);
/* child runs behind parent; twice is once. */
void graph_edge(struct graph *g, size_t child, size_t parent);
/* Adds all nodes to the walk's pairs, with depends and sort keys; a circle is a problem of each of
 * its files, which then stand at the end. */
void graph_finish(struct source_walk *w, struct graph *g);
void graph_clear(struct graph *g);

/* Reads a file of code below the folder: normalised, its digest and size in m. False when a
 * problem was told. */
bool graph_read(struct source_walk *w, const char *path, struct migration *m, struct digest *d,
		struct strbuf *text);

#endif
