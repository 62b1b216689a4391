/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Who asks at the key-file socket (boot-integration.md 5): the abstract name that systemd-cryptsetup binds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "unlock/handout.h"

#define NAME(s) s, sizeof(s) - 1

static void names_of_volumes(void **state)
{
	static const struct {
		const char *path;
		size_t len;
		const char *volume;
	} good[] = {
		{ NAME("\0" "7bc869c92262ee53/cryptsetup/cryptroot"), "cryptroot" },
		{ NAME("\0" "1/cryptsetup/a"), "a" },
		{ NAME("\0" "ffffffffffffffff/cryptsetup/data-2.x_y"), "data-2.x_y" },
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char name[64];

		assert_int_equal(handout_peer_name(good[i].path, good[i].len, name, NULL), 0);
		assert_string_equal(name, good[i].volume);
	}
}

static void names_of_others(void **state)
{
	static const struct {
		const char *path;
		size_t len;
	} bad[] = {
		{ NAME("") },
		{ NAME("\0") },
		{ NAME("/run/x/cryptsetup/root") },
		{ NAME("\0" "/cryptsetup/root") },
		{ NAME("\0" "7bc869c92262ee530/cryptsetup/root") }, /* 68 bits */
		{ NAME("\0" "7BC/cryptsetup/root") },
		{ NAME("\0" "7bc/cryptsetup/") },
		{ NAME("\0" "7bc/cryptsetup") },
		{ NAME("\0" "7bc/cryptsetup/a/b") },
		{ NAME("\0" "7bc/cryptsetup/..") },
		{ NAME("\0" "7bc/cryptsetup/root\0") },
		{ NAME("\0" "7bc/other/root") },
		/* what a TPM, a FIDO token or a smart card is to open: no passphrase */
		{ NAME("\0" "7bc/cryptsetup-tpm2/root") },
		{ NAME("\0" "7bc/cryptsetup-fido2/root") },
		{ NAME("\0" "7bc/cryptsetup-pkcs11/root") },
		{ NAME("\0" "7bc/cryptsetup/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err *err = NULL;
		char name[64];

		assert_int_equal(handout_peer_name(bad[i].path, bad[i].len, name, &err), -1);
		assert_string_equal(err_id(err), "key-peer");
		assert_int_equal(err_class(err), ERR_INTEGRITY);
		err_free(err);
	}
}

#define ATTACH "systemd-cryptsetup\0attach\0root\0/dev/vda\0"
#define COPY   "header=/run/cryptattest/header/root"

static void readers_of_the_copy(void **state)
{
	static const struct {
		const char *cmdline;
		size_t len;
		bool reads;
	} rows[] = {
		{ NAME(ATTACH "-\0" COPY "\0"), true },
		{ NAME(ATTACH "/run/cryptattest/key.sock\0" COPY ",tries=1\0"), true },
		{ NAME(ATTACH "-\0luks,tries=1," COPY "\0"), true },
		{ NAME(ATTACH "-\0tries=1\0"), false },
		{ NAME(ATTACH "-\0\0"), false },
		{ NAME(ATTACH "-\0"), false },
		{ NAME(ATTACH COPY "\0-\0"), false },
		{ NAME(ATTACH "-\0" COPY "\0more\0"), false },
		{ NAME(ATTACH "-\0" COPY), false }, /* cut off */
		{ NAME(ATTACH "-\0" COPY "2\0"), false },
		{ NAME(ATTACH "-\0" COPY "/x\0"), false },
		{ NAME(ATTACH "-\0x-" COPY "\0"), false },
		{ NAME(ATTACH "-\0header=\0"), false },
		{ NAME(ATTACH "-\0" COPY "," COPY "\0"), false },
		{ NAME(ATTACH "-\0header=/dev/vdb," COPY "\0"), false },
		{ NAME(ATTACH "-\0x=1\\," COPY "\0"), false },
		{ NAME("systemd-cryptsetup\0attach\0data\0/dev/vda\0-\0" COPY "\0"), false },
		{ NAME("systemd-cryptsetup\0detach\0root\0/dev/vda\0-\0" COPY "\0"), false },
		{ NAME(""), false },
		{ NAME("\0"), false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(handout_reads_copy(rows[i].cmdline, rows[i].len, "root"), rows[i].reads);
}

static int connect_as(int listener, const struct sockaddr_un *to, const char *own, size_t own_len, int *ret_client)
{
	struct sockaddr_un self = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (own) {
		memcpy(self.sun_path, own, own_len);
		assert_int_equal(bind(fd, (struct sockaddr *)&self, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + own_len)), 0);
	}
	assert_int_equal(connect(fd, (const struct sockaddr *)to, sizeof(*to)), 0);
	*ret_client = fd;
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static void over_a_socket(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client, fd, pipefd[2];
	struct sockaddr_un link = { .sun_family = AF_UNIX };
	struct err *err = NULL;
	char own[64], name[64];
	int n;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/test-handout-%d", (int)getpid());
	snprintf(link.sun_path, sizeof(link.sun_path), "/tmp/test-handout-%d.key", (int)getpid());
	assert_int_equal(symlink(addr.sun_path, link.sun_path), 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 4), 0);

	n = snprintf(own + 1, sizeof(own) - 1, "%x/cryptsetup/root", (unsigned int)getpid());
	own[0] = 0;
	fd = connect_as(listener, &addr, own, (size_t)n + 1, &client);
	assert_int_equal(handout_peer(fd, name, NULL), 0);
	assert_string_equal(name, "root");
	/* This program's own command line is none of systemd-cryptsetup's. */
	assert_int_equal(handout_peer_header(fd, "root", &err), -1);
	assert_string_equal(err_id(err), "key-header");
	err_clear(&err);
	close(fd);
	close(client);

	/* By a link of another name: what counts is who asks. */
	n = snprintf(own + 1, sizeof(own) - 1, "%xa/cryptsetup/root", (unsigned int)getpid());
	fd = connect_as(listener, &link, own, (size_t)n + 1, &client);
	assert_int_equal(handout_peer(fd, name, NULL), 0);
	assert_string_equal(name, "root");
	close(fd);
	close(client);

	fd = connect_as(listener, &addr, NULL, 0, &client);
	assert_int_equal(handout_peer(fd, name, &err), -1);
	assert_string_equal(err_id(err), "key-peer");
	err_clear(&err);
	close(fd);
	close(client);

	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(handout_peer(pipefd[1], name, &err), -1);
	assert_int_equal(err_class(err), ERR_CONFIG);
	err_free(err);
	close(pipefd[0]);
	close(pipefd[1]);
	close(listener);
	unlink(addr.sun_path);
	unlink(link.sun_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_volumes),
		cmocka_unit_test(names_of_others),
		cmocka_unit_test(readers_of_the_copy),
		cmocka_unit_test(over_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
