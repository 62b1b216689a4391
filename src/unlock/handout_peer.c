/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Who asks: boot-integration.md 5. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "unlock/handout.h"

#define PEER_WORD "/cryptsetup/"

static int unknown_peer(struct err **err, const char *why)
{
	err_set(err, ERR_INTEGRITY, "key-peer", "%s", why);
	return err_hint(err, "the key-file socket is for systemd-cryptsetup; `cryptattest key VOLUME` writes to a pipe");
}

int handout_peer_name(const char *path, size_t len, char out[static 64], struct err **err)
{
	const size_t word = strlen(PEER_WORD);
	size_t digits = 1;
	char name[64];

	/* An abstract name: NUL, then a random number in hex that is not padded. */
	if (len < 2 || path[0] != '\0')
		return unknown_peer(err, "the program at the other end has no name");
	while (digits < len && strchr("0123456789abcdef", path[digits]) && path[digits])
		digits++;
	if (digits == 1 || digits > 17 || len - digits <= word || memcmp(path + digits, PEER_WORD, word) != 0)
		return unknown_peer(err, "the program at the other end is not systemd-cryptsetup");
	len -= digits + word;
	if (len >= sizeof(name) || memchr(path + digits + word, '\0', len))
		return unknown_peer(err, "the program at the other end asks for no volume");
	memcpy(name, path + digits + word, len);
	name[len] = '\0';
	if (!text_is_volume_name(name))
		return unknown_peer(err, "the program at the other end asks for no volume");
	memcpy(out, name, len + 1);
	return 0;
}

int handout_peer(int fd, char out[static 64], struct err **err)
{
	struct sockaddr_un peer = { 0 };
	socklen_t len = sizeof(peer), size = sizeof(struct ucred);
	struct ucred who;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 || getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return err_set_errno(err, ERR_CONFIG, "key-peer", errno, "no socket of systemd-cryptsetup on standard output");
	if (who.uid != 0 && who.uid != geteuid())
		return unknown_peer(err, "the program at the other end is not root's");
	if (peer.sun_family != AF_UNIX || len <= offsetof(struct sockaddr_un, sun_path))
		return unknown_peer(err, "the program at the other end has no name");
	return handout_peer_name(peer.sun_path, len - offsetof(struct sockaddr_un, sun_path), out, err);
}
