/* SPDX-License-Identifier: MIT */
#include "core/base/library.h"

#include <dlfcn.h>
#include <string.h>

/* The loader counts and locks for us: opening what is open already costs microseconds, so nothing is
 * remembered here. NODELETE, since libraries that start threads or leave exit handlers (OpenSSL) do
 * not survive being unloaded. */
static void *open_first(const struct library *lib)
{
	void *handle = NULL;

	for (const char *const *file = lib->file; handle == NULL && *file != NULL; file++)
		handle = dlopen(*file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	return handle;
}

int library_load(const struct library *lib, void *table, struct err *e)
{
	void *handle = open_first(lib);

	if (handle == NULL) {
		const char *words = dlerror();

		err_set(e, ERR_UNSUPPORTED, "cannot load %s", lib->name);
		err_detail(e, "%s", words != NULL ? words : lib->file[0]);
		return err_hint(e, "%s", lib->hint);
	}
	for (size_t i = 0; i < lib->n_symbol; i++) {
		void *address = dlsym(handle, lib->symbol[i].name);

		if (address == NULL) {
			err_set(e, ERR_UNSUPPORTED, "cannot use this version of %s", lib->name);
			err_detail(e, "it has no %s", lib->symbol[i].name);
			err_hint(e, "%s", lib->hint);
			dlclose(handle);
			return -1;
		}
		/* C has no conversion from an object's pointer to a function's; POSIX says that their
		 * bytes are the same. */
		memcpy((char *)table + lib->symbol[i].offset, &address, sizeof(address));
	}
	dlclose(handle);
	return 0;
}
