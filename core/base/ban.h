/* SPDX-License-Identifier: MIT */
/* Functions that are compile errors here, each with what to use instead. Forced into every file of
 * the program by the Makefile (-include), after the system headers that declare them. */
#ifndef BASE_BAN_H
#define BASE_BAN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Some of them are macros in the C library too, as _FORTIFY_SOURCE has it. */
#undef alloca
#undef sprintf
#undef vsprintf

/* gcc and clang refuse any later use of a poisoned name. */
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets
#pragma GCC poison atoi atol atof system popen gmtime localtime ctime asctime
#pragma GCC poison fork vfork alloca

#endif
