/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Which files are read, in which order, and the CA bundle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "config/config.h"

#define PEM "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

static char path[64];
static int root = -1;

static int make_root(void **state)
{
	strcpy(path, "/tmp/test_config.XXXXXX");
	if (!mkdtemp(path))
		return -1;
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0;
}

static int remove_one(const char *p, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(p);
}

static int remove_root(void **state)
{
	close(root);
	return nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* name starts with a slash and is meant below our root. */
static void put(const char *name, const char *text)
{
	_cleanup_free_ char *dir = text_dup(name + 1);

	*strrchr(dir, '/') = 0;
	assert_int_equal(dir_make(root, dir, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(root, name + 1, text, strlen(text), 0644, NULL), 0);
}

static struct config *load(const char *given)
{
	const struct config_options o = { .root_fd = root, .path = given };
	_cleanup_err_ struct err *e = NULL;
	struct config *c = NULL;

	if (config_load(&o, &c, &e) < 0)
		fail_msg("%s", err_message(e));
	return c;
}

static void refuse(const char *given, const char *want)
{
	const struct config_options o = { .root_fd = root, .path = given };
	_cleanup_err_ struct err *e = NULL;
	struct config *c = NULL;

	assert_true(config_load(&o, &c, &e) < 0);
	assert_null(c);
	assert_int_equal(err_class(e), ERR_CONFIG);
	assert_string_equal(err_message(e), want);
}

static void nothing(void **state)
{
	struct config *c = load(NULL);

	assert_null(c->volumes[0]);
	config_free(c);
}

static void usual_places(void **state)
{
	struct config *c;

	put(VENDORCONFDIR "/cryptattest.conf", "[agent]\ndeadline = 1s\ncap = off\nprofile = bare-metal\n");
	put(SYSCONFDIR "/cryptattest/cryptattest.conf", "[agent]\ndeadline = 2s\n[volume b]\ndevice = /dev/b\nmode = manual\n");
	put(SYSCONFDIR "/cryptattest/conf.d/20-x.conf", "[agent]\ndeadline = 4s\n");
	put(SYSCONFDIR "/cryptattest/conf.d/10-x.conf", "[agent]\ndeadline = 3s\n[volume a]\ndevice = /dev/a\nmode = manual\n");
	put(SYSCONFDIR "/cryptattest/conf.d/30-x.conf~", "[agent]\ndeadline = 5s\n");
	put(SYSCONFDIR "/cryptattest/conf.d/.40-x.conf", "[agent]\ndeadline = 6s\n");
	put(SYSCONFDIR "/cryptattest/conf.d/README", "not for us");
	c = load(NULL);
	assert_int_equal(c->deadline_ms, 4000);
	assert_int_equal(c->cap, CAP_OFF);
	assert_int_equal(c->profile, PROFILE_BARE_METAL);
	assert_string_equal(c->volumes[0]->name, "b");
	assert_string_equal(c->volumes[1]->name, "a");
	assert_string_equal(c->volumes[1]->file, SYSCONFDIR "/cryptattest/conf.d/10-x.conf");
	config_free(c);
	put(SYSCONFDIR "/cryptattest/conf.d/15-x.conf", "\n[agent]\ndedline = 4s\n");
	refuse(NULL, SYSCONFDIR "/cryptattest/conf.d/15-x.conf:3: unknown key \"dedline\" in [agent], did you mean \"deadline\"?");
}

static void given(void **state)
{
	_cleanup_free_ char *cwd = getcwd(NULL, 0);
	struct config *c;

	put(VENDORCONFDIR "/cryptattest.conf", "[agent]\ncap = off\n");
	put(SYSCONFDIR "/cryptattest/cryptattest.conf", "[agent]\ncap = off\n");
	put("/my/one.conf", "[agent]\ndeadline = 1s\n");
	put("/my/dir/conf.d/a.conf", "[agent]\ndeadline = 2s\n");
	put("/my/empty/x", "");
	c = load("/my/one.conf");
	assert_int_equal(c->deadline_ms, 1000);
	assert_int_equal(c->cap, CAP_AUTO);
	config_free(c);
	c = load("/my/dir/");
	assert_int_equal(c->deadline_ms, 2000);
	config_free(c);
	/* A relative path is the shell user's, not the root's. */
	assert_int_equal(chdir(path), 0);
	c = load("my/one.conf");
	assert_int_equal(c->deadline_ms, 1000);
	config_free(c);
	assert_int_equal(chdir("my/dir"), 0);
	c = load(".");
	assert_int_equal(c->deadline_ms, 2000);
	config_free(c);
	assert_int_equal(chdir(cwd), 0);
	refuse("/my/absent.conf", "/my/absent.conf: No such file or directory");
	refuse("/my/empty", "/my/empty holds neither cryptattest.conf nor conf.d/NAME.conf");
}

static void unreadable(void **state)
{
	_cleanup_free_ char *big = malloc(1024 * 1024 + 2);

	memset(big, '#', 1024 * 1024 + 1);
	big[1024 * 1024 + 1] = 0;
	put("/my/big.conf", big);
	refuse("/my/big.conf", "/my/big.conf: File too large");
	/* A drop-in that cannot be read is not skipped: it might be the one with the pins. */
	put("/my/dir/conf.d/x", "");
	assert_int_equal(symlinkat("/absent", root, "my/dir/conf.d/b.conf"), 0);
	refuse("/my/dir", "/my/dir/conf.d/b.conf: No such file or directory");
	assert_int_equal(unlinkat(root, "my/dir/conf.d/b.conf", 0), 0);
	put("/my/dir/conf.d/c.conf/x", "");
	refuse("/my/dir", "/my/dir/conf.d/c.conf: Is a directory");
}

static void authorities(void **state)
{
	struct config *c;

	put("/my/ca.pem", PEM);
	put("/my/not.pem", "hello\n");
	put("/my/a.conf", "[kbs a]\nurl = https://h\nca = /my/ca.pem\nserver-name = h\n");
	c = load("/my/a.conf");
	assert_string_equal(c->kbs[0]->ca_pem, PEM);
	config_free(c);
	put("/my/a.conf", "[kbs a]\nurl = https://h\nca = /my/absent.pem\n");
	refuse("/my/a.conf", "/my/a.conf:3: ca = /my/absent.pem: cannot be read: No such file or directory");
	put("/my/a.conf", "[kbs a]\nurl = https://h\nca = /my/not.pem\n");
	refuse("/my/a.conf", "/my/a.conf:3: ca = /my/not.pem holds no certificate in PEM form");
}

/* As much of a certificate as is looked at: a SEQUENCE of 257 bytes. */
static void put_der(const char *name, size_t times, size_t cut)
{
	_cleanup_buf_ struct buf der = BUF_INIT(4096);

	for (size_t i = 0; i < times; i++) {
		buf_append(&der, "\x30\x82\x01\x01", 4);
		for (size_t n = 0; n < 257; n++)
			buf_append(&der, "", 1);
	}
	assert_int_equal(buf_check(&der, NULL), 0);
	assert_int_equal(file_write_atomic(root, name + 1, der.data, der.len - cut, 0644, NULL), 0);
}

static void takes_vek(size_t len)
{
	struct config *c = load("/my/a.conf");

	assert_int_equal(c->vtpm.vek_len, len);
	config_free(c);
}

static void a_vek_that_is_none(void **state)
{
	static const char why[] =
		"/my/a.conf:2: vek = /my/vek holds neither certificates (PEM or DER) nor an evidence object with hcl_report and td_quote";
	static const char stored[] = "\n{\"hcl_report\": \"SENM\", \"td_quote\": \"BAAC\"}\n";
	static const char *const others[] = { "", "junk", "0", "{}", "[1]", "{\"hcl_report\":\"SENM\"}", "{\"hcl_report\":1,\"td_quote\":\"a\"}",
					      "{\"hcl_report\":\"SENM\",\"td_quote\":\"BAAC\"", "{\"vcekCert\":\"a\",\"certificateChain\":\"b\"}",
					      "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "\x30\x03" };

	put("/my/a.conf", "[vtpm]\nvek = /my/vek\n");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		put("/my/vek", others[i]);
		refuse("/my/a.conf", why);
	}
	put("/my/vek", "text before\n" PEM PEM);
	takes_vek(strlen("text before\n" PEM PEM));
	put("/my/vek", stored);
	takes_vek(strlen(stored));
	for (size_t n = 1; n <= 3; n++) {
		put_der("/my/vek", n, 0);
		takes_vek(n * 261);
		put_der("/my/vek", n, 1);
		refuse("/my/a.conf", why);
	}
}

static void keys_and_chips(void **state)
{
	static const char key[] = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
	struct config *c;

	put("/my/key.pem", key);
	put("/my/ca.pem", PEM);
	put_der("/my/vcek.der", 1, 0);
	put("/my/a.conf", "[vtpm]\nsigner = /my/key.pem\npcrs = 7\nvek = /my/vcek.der\n");
	c = load("/my/a.conf");
	assert_string_equal(c->vtpm.signer_pem, key);
	assert_int_equal(c->vtpm.vek_len, 261);
	assert_memory_equal(c->vtpm.vek_data, "\x30\x82\x01\x01\0", 5);
	config_free(c);
	put("/my/a.conf", "[vtpm]\nsigner = /my/ca.pem\npcrs = 7\n");
	refuse("/my/a.conf", "/my/a.conf:2: signer = /my/ca.pem holds no public key in PEM form");
	put("/my/a.conf", "[vtpm]\nsigner = /my/key.pem\npcrs = 7\nvek = /my/absent\n");
	refuse("/my/a.conf", "/my/a.conf:4: vek = /my/absent: cannot be read: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing, make_root, remove_root),
		cmocka_unit_test_setup_teardown(usual_places, make_root, remove_root),
		cmocka_unit_test_setup_teardown(given, make_root, remove_root),
		cmocka_unit_test_setup_teardown(unreadable, make_root, remove_root),
		cmocka_unit_test_setup_teardown(authorities, make_root, remove_root),
		cmocka_unit_test_setup_teardown(keys_and_chips, make_root, remove_root),
		cmocka_unit_test_setup_teardown(a_vek_that_is_none, make_root, remove_root),
	};

	log_init("test", LOGL_ERROR, false);
	return cmocka_run_group_tests_name("config_load", tests, NULL, NULL);
}
