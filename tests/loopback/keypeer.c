/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Asks a key-file socket as systemd-cryptsetup does, with the same arguments: its own end of the socket has a name that says for whom.
 *
 *   keypeer attach VOLUME DEVICE SOCKET OPTIONS    prints what came until the other end closed; PEER_KIND in the environment is the word in its
 *                                                  name, "cryptsetup" unless set
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct sockaddr_un own = { .sun_family = AF_UNIX }, to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *kind = getenv("PEER_KIND");
	char chunk[512];
	ssize_t n;
	int len;

	if (argc != 6 || fd < 0)
		die("usage: keypeer attach VOLUME DEVICE SOCKET OPTIONS");
	len = snprintf(own.sun_path + 1, sizeof(own.sun_path) - 1, "%lx/%s/%s", (unsigned long)getpid(), kind ? kind : "cryptsetup", argv[2]);
	if (len < 0 || (size_t)len >= sizeof(own.sun_path) - 1 || strlen(argv[4]) >= sizeof(to.sun_path))
		die("too long");
	memcpy(to.sun_path, argv[4], strlen(argv[4]) + 1);
	if (bind(fd, (struct sockaddr *)&own, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) < 0)
		die("bind");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		if (write(STDOUT_FILENO, chunk, (size_t)n) != n)
			die("write");
	return n < 0;
}
