/* SPDX-License-Identifier: MIT */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

/* The calling thread goes on in the background: one that somebody waits for gets a processor before it. */
void thread_background(void);

#endif
