/* SPDX-License-Identifier: MIT */
/* The name of a runner's socket, for both of its ends. */
#ifndef RELEASE_CONTROL_SOCKET_H
#define RELEASE_CONTROL_SOCKET_H

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CONTROL_SOCKET "control.sock"

/* The address of the socket in the open folder dir_fd, however long the folder's path is. */
static inline void control_address(int dir_fd, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET,
		 dir_fd);
}

#endif
