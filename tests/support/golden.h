/* SPDX-License-Identifier: MIT */
/* Golden texts: what a screen or a document looks like, kept in a file and compared byte by byte. */
#ifndef SUPPORT_GOLDEN_H
#define SUPPORT_GOLDEN_H

/* Compares text with tests/golden/<name>. A difference fails the test and shows the first line that
 * differs; with GOLDEN_UPDATE=1 in the environment (`make golden`) the file is rewritten instead. */
void golden_compare(const char *name, const char *text);

#endif
