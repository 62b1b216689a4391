/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Name servers that a DHCP client of the initramfs wrote down; neither klibc's ipconfig nor networkd writes resolv.conf itself. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "net/net.h"

#define LEASE_FILE_MAX 65536
#define LEASE_FILES_MAX 256
#define SERVERS_MAX 3 /* MAXNS of the C library */

struct servers {
	char text[SERVERS_MAX][INET6_ADDRSTRLEN];
	size_t n;
};

/* Only what parses as an address gets in, in the form that inet_ntop gives: the files hold what a DHCP server said. */
static void add_server(struct servers *s, const char *word)
{
	uint8_t raw[16];
	char clean[INET6_ADDRSTRLEN];
	int family = strchr(word, ':') ? AF_INET6 : AF_INET;

	if (s->n == SERVERS_MAX || inet_pton(family, word, raw) != 1 || all_zero(raw, family == AF_INET ? 4 : 16) ||
	    !inet_ntop(family, raw, clean, sizeof(clean)))
		return;
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->text[i], clean) == 0)
			return;
	memcpy(s->text[s->n++], clean, sizeof(clean));
}

/* KEY=value or KEY='value'; DNS (networkd) holds several addresses with spaces between. */
static void read_line(struct servers *s, char *line)
{
	char *value = strchr(line, '='), *save = NULL;

	if (!value)
		return;
	*value++ = '\0';
	if (strcmp(line, "DNS") != 0 && strcmp(line, "IPV4DNS0") != 0 && strcmp(line, "IPV4DNS1") != 0 &&
	    strcmp(line, "IPV6DNS0") != 0 && strcmp(line, "IPV6DNS1") != 0)
		return;
	for (char *word = strtok_r(value, " \t'\"", &save); word; word = strtok_r(NULL, " \t'\"", &save))
		add_server(s, word);
}

static void read_lease(int dir, const char *name, struct servers *s)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;
	size_t len = 0;

	/* One unreadable lease must not hide the others. */
	if (file_read(dir, name, LEASE_FILE_MAX, ERR_INTERNAL, &text, &len, NULL) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		read_line(s, line);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In name order, so that the result does not depend on the directory's. */
static int read_dir(int root_fd, const char *path, const char *pattern, struct servers *s, struct err **err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *e;
	int fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char **names = NULL;
	bool failed = false;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_set_errno(err, ERR_INTERNAL, "resolver", errno, "/%s", path);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_nomem(err);
	}
	while (!failed && strv_len(names) < LEASE_FILES_MAX && (e = readdir(dir)))
		if (fnmatch(pattern, e->d_name, FNM_PERIOD) == 0)
			names = strv_append(names, e->d_name, &failed);
	if (names)
		qsort(names, strv_len(names), sizeof(*names), by_name);
	for (size_t i = 0; !failed && names && names[i]; i++)
		read_lease(dirfd(dir), names[i], s);
	strv_free(names);
	return failed ? err_nomem(err) : 0;
}

int net_compose_resolv_conf(int root_fd, struct buf *out, struct err **err)
{
	struct servers s = { .n = 0 };

	if (read_dir(root_fd, "run", "net-*.conf", &s, err) < 0 ||
	    read_dir(root_fd, "run/systemd/netif", "state", &s, err) < 0 ||
	    read_dir(root_fd, "run/systemd/netif/leases", "*", &s, err) < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++)
		buf_printf(out, "nameserver %s\n", s.text[i]);
	return buf_check(out, err);
}
