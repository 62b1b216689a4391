/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Who asks: boot-integration.md 5. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "unlock/handout.h"

#define PEER_WORD    "/cryptsetup/"
#define HEADER	     "header="
#define CMDLINE_MAX  65536
#define CMDLINE_ARGS 6

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

/* Options are separated by commas; one behind a backslash is part of a value. Two headers are an error to systemd. */
static bool names_copy(const char *options, const char *volume)
{
	const char *option = options;
	size_t headers = 0;
	bool ours = false;

	for (const char *p = options;; p++) {
		char wanted[160];
		size_t n = (size_t)(p - option);

		if (*p && (*p != ',' || (p > options && p[-1] == '\\')))
			continue;
		snprintf(wanted, sizeof(wanted), HEADER "/" HANDOUT_HEADER_DIR "/%s", volume);
		if (n >= strlen(HEADER) && strncmp(option, HEADER, strlen(HEADER)) == 0) {
			headers++;
			ours = n == strlen(wanted) && strncmp(option, wanted, n) == 0;
		}
		if (!*p)
			return ours && headers == 1;
		option = p + 1;
	}
}

bool handout_reads_copy(const char *cmdline, size_t len, const char *volume)
{
	const char *args[CMDLINE_ARGS], *end = cmdline + len;
	size_t n = 0;

	if (!len || end[-1])
		return false;
	for (const char *p = cmdline; p < end; p += strlen(p) + 1) {
		if (n == CMDLINE_ARGS)
			return false;
		args[n++] = p;
	}
	return n == CMDLINE_ARGS && text_eq(args[1], "attach") && text_eq(args[2], volume) && names_copy(args[5], volume);
}

int handout_peer_header(int fd, const char *volume, struct err **err)
{
	_cleanup_free_ char *cmdline = NULL;
	socklen_t size = sizeof(struct ucred);
	struct ucred who;
	char path[64];
	size_t len;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return err_set_errno(err, ERR_CONFIG, "key-peer", errno, "no socket of systemd-cryptsetup on standard output");
	/* It waits for our answer, so the number is its own still. */
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)who.pid);
	if (file_read(AT_FDCWD, path, CMDLINE_MAX, ERR_INTEGRITY, &cmdline, &len, err) < 0)
		return err_wrap(err, "the program that asks cannot be looked at");
	if (handout_reads_copy(cmdline, len, volume))
		return 0;
	err_set(err, ERR_INTEGRITY, "key-header", "the program that asks would read the header from the disk itself");
	return err_hint(err, "header=/" HANDOUT_HEADER_DIR "/%s among its options: in crypttab, or in rd.luks.options=UUID= on the kernel command line",
			volume);
}
