/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Resources on disk: names, what is refused, modes, bad files at a reload, the directory itself. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fileio.h"
#include "kbsd/statedir.h"
#include "kbsd/store.h"
#include "kbsd/store_file.h"

#define INCOMPLETE "{\"type\":\"cryptattest-secret\",\"version\":1}"
#define PASSPHRASE "0123456789abcdef0123"
#define DOCUMENT                                                                                                     \
	"{\"type\":\"cryptattest-secret\",\"version\":1,\"name\":\"root\","                                          \
	"\"uuid\":\"6f1c0000-1111-2222-3333-444455556666\","                                                         \
	"\"vk_id\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\","                            \
	"\"passphrase\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"}\n"

static char path[] = "/tmp/kbsd-store-XXXXXX";
static int dirfd_;

static int make_directory(void **state)
{
	(void)state;
	strcpy(path + strlen(path) - 6, "XXXXXX");
	if (!mkdtemp(path))
		return -1;
	dirfd_ = open(path, O_RDONLY | O_DIRECTORY);
	return dirfd_ < 0 ? -1 : 0;
}

static int remove_directory(void **state)
{
	DIR *d = opendir(path);
	struct dirent *e;

	(void)state;
	while (d && (e = readdir(d)))
		unlinkat(dirfd_, e->d_name, 0);
	closedir(d);
	close(dirfd_);
	return rmdir(path);
}

static int add(const char *name, const char *content, size_t len, struct store_rules rules, struct err **err)
{
	struct secret *s = NULL;
	int r;

	assert_int_equal(secret_from(content, len, &s, NULL), 0);
	r = store_add(dirfd_, name, s, &rules, err);
	secret_free(s);
	return r;
}

static void assert_refused(const char *name, const char *content, size_t len, struct store_rules rules,
			   enum err_class cls, const char *id)
{
	struct err *e = NULL;

	if (add(name, content, len, rules, &e) == 0)
		fail_msg("%s was accepted", name);
	if (err_class(e) != cls || (id && strcmp(err_id(e), id) != 0))
		fail_msg("%s: class %s id %s: %s", name, err_class_name(err_class(e)), err_id(e), err_message(e));
	err_free(e);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "",	       "a",	       "a/b",	     "a/b/c/d",		 "/a/b/c",
					   "a//c",     "../../x/y",    "a/../c",     "a/b/.c",		 "a/b/c d",
					   "a:b/c/d",  "kbs://a/b/c",  "a/b/c?x=1",  "kbs+provisioner:///default/x/root",
					   "a/b/c\n" };
	const struct store_rules raw = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(bad[i], PASSPHRASE, strlen(PASSPHRASE), raw, ERR_CONFIG, NULL);
	assert_int_equal(add("kbs:///default/web-042/root", PASSPHRASE, strlen(PASSPHRASE), raw, NULL), 0);
	assert_int_equal(faccessat(dirfd_, "default:web-042:root", F_OK, 0), 0);
	char name[256];
	assert_true(store_name_of_file("default:web-042:root", name, sizeof(name)));
	assert_string_equal(name, "default/web-042/root");
	assert_false(store_name_of_file("default/web-042/root", name, sizeof(name)));
	assert_false(store_name_of_file("README", name, sizeof(name)));
	assert_false(store_name_of_file("kbs:a:b:c", name, sizeof(name)));
}

static void test_what_add_refuses(void **state)
{
	const struct store_rules raw = { 0 }, document = { .document = true }, binary = { .binary = true },
				 replace = { .replace = true };
	char big[RESOURCE_SIZE_MAX + 1];

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_refused("a/b/c", PASSPHRASE "\n", strlen(PASSPHRASE) + 1, raw, ERR_CONFIG, "trailing-newline");
	assert_refused("a/b/c", "short", 5, raw, ERR_INTEGRITY, NULL);
	assert_refused("a/b/c", "", 0, raw, ERR_CONFIG, NULL);
	assert_refused("a/b/c", "", 0, binary, ERR_CONFIG, NULL);
	assert_refused("a/b/c", big, sizeof(big), binary, ERR_CONFIG, NULL);
	assert_refused("a/b/c", PASSPHRASE, strlen(PASSPHRASE), document, ERR_INTEGRITY, NULL);
	assert_refused("a/b/c", DOCUMENT, strlen(DOCUMENT) - 4, document, ERR_INTEGRITY, NULL);
	/* A document with a fault is not taken for a passphrase. */
	assert_refused("a/b/c", INCOMPLETE, strlen(INCOMPLETE), raw, ERR_INTEGRITY, NULL);
	assert_int_equal(add("a/b/c", PASSPHRASE "\n", strlen(PASSPHRASE) + 1, binary, NULL), 0);
	assert_refused("a/b/c", PASSPHRASE, strlen(PASSPHRASE), raw, ERR_CONFIG, "exists");
	assert_int_equal(add("a/b/c", PASSPHRASE, strlen(PASSPHRASE), replace, NULL), 0);
	assert_int_equal(add("a/b/d", DOCUMENT, strlen(DOCUMENT), document, NULL), 0);
	assert_int_equal(add("a/b/e", DOCUMENT, strlen(DOCUMENT), raw, NULL), 0);
	assert_int_equal(add("a/b/f", "x", 1, binary, NULL), 0);
}

static struct store *load(const struct store *previous, size_t expect, size_t expect_bad)
{
	struct store *s = NULL;
	size_t bad = 99;

	assert_int_equal(store_load(dirfd_, previous, &s, &bad, NULL), 0);
	assert_int_equal(store_count(s), expect);
	assert_int_equal(bad, expect_bad);
	return s;
}

static void assert_content(const struct store *s, const char *name, const char *text, bool document)
{
	const struct resource *r = store_find(s, name);

	assert_non_null(r);
	assert_int_equal(secret_len(r->content), strlen(text));
	assert_memory_equal(secret_cdata(r->content), text, strlen(text));
	assert_int_equal(r->document, document);
}

static void test_load(void **state)
{
	const struct store_rules raw = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(add("a/b/z", PASSPHRASE, strlen(PASSPHRASE), raw, NULL), 0);
	assert_int_equal(add("a/b/d", DOCUMENT, strlen(DOCUMENT), raw, NULL), 0);
	assert_int_equal(fstatat(dirfd_, "a:b:d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* What a killed add leaves behind is no resource. */
	assert_int_equal(file_write_atomic(dirfd_, ".add.tmp", "half", 4, 0600, NULL), 0);
	struct store *s = load(NULL, 2, 0);
	assert_content(s, "a/b/z", PASSPHRASE, false);
	assert_content(s, "a/b/d", DOCUMENT, true);
	assert_null(store_find(s, "a/b/y"));
	assert_null(store_find(s, "a:b:z"));
	assert_null(store_find(s, ""));
	assert_int_equal(store_remove(dirfd_, "a/b/z", NULL), 0);
	struct err *e = NULL;
	assert_true(store_remove(dirfd_, "a/b/z", &e) < 0);
	assert_int_equal(err_class(e), ERR_CONFIG);
	err_free(e);
	store_free(s);
	store_free(load(NULL, 1, 0));
}

/* Each kind of bad file: the earlier content stays; without one the resource is absent. */
static void test_bad_files_keep_the_old(void **state)
{
	const struct store_rules raw = { 0 };

	(void)state;
	assert_int_equal(add("a/b/mode", PASSPHRASE "1", strlen(PASSPHRASE) + 1, raw, NULL), 0);
	assert_int_equal(add("a/b/empty", PASSPHRASE "2", strlen(PASSPHRASE) + 1, raw, NULL), 0);
	assert_int_equal(add("a/b/doc", DOCUMENT, strlen(DOCUMENT), raw, NULL), 0);
	assert_int_equal(add("a/b/link", PASSPHRASE "3", strlen(PASSPHRASE) + 1, raw, NULL), 0);
	struct store *before = load(NULL, 4, 0);

	assert_int_equal(fchmodat(dirfd_, "a:b:mode", 0640, 0), 0);
	assert_int_equal(file_write_atomic(dirfd_, "a:b:empty", "", 0, 0600, NULL), 0);
	assert_int_equal(file_write_atomic(dirfd_, "a:b:doc", DOCUMENT, strlen(DOCUMENT) - 9, 0600, NULL), 0);
	assert_int_equal(unlinkat(dirfd_, "a:b:link", 0), 0);
	assert_int_equal(symlinkat("a:b:doc", dirfd_, "a:b:link"), 0);
	assert_int_equal(symlinkat("a:b:doc", dirfd_, "a:b:new"), 0);
	assert_int_equal(mkfifoat(dirfd_, "a:b:pipe", 0600), 0);
	struct store *after = load(before, 4, 6);
	assert_content(after, "a/b/mode", PASSPHRASE "1", false);
	assert_content(after, "a/b/empty", PASSPHRASE "2", false);
	assert_content(after, "a/b/doc", DOCUMENT, true);
	assert_content(after, "a/b/link", PASSPHRASE "3", false);
	assert_null(store_find(after, "a/b/new"));
	store_free(before);
	store_free(after);
	store_free(load(NULL, 0, 6));
}

static void test_directory_rules(void **state)
{
	struct statedir d = STATEDIR_INIT;
	struct err *e = NULL;

	(void)state;
	assert_int_equal(chmod(path, 0750), 0);
	assert_true(statedir_open(path, &d, &e) < 0);
	assert_int_equal(err_class(e), ERR_CONFIG);
	err_clear(&e);
	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(statedir_open(path, &d, NULL), 0);
	assert_int_equal(d.uid, geteuid());
	assert_int_equal(statedir_become_owner(&d, false, NULL), 0);
	/* The server refuses to be root. */
	assert_int_equal(statedir_become_owner(&d, true, &e), geteuid() == 0 ? -1 : 0);
	err_clear(&e);
	assert_true(statedir_check_user(&d, "root", &e) < 0);
	assert_int_equal(err_class(e), ERR_CONFIG);
	err_clear(&e);
	assert_true(statedir_check_user(&d, "no-such-user-here", &e) < 0);
	err_clear(&e);
	statedir_close(&d);
	assert_true(statedir_open("/nonexistent/directory", &d, &e) < 0);
	assert_int_equal(err_class(e), ERR_CONFIG);
	err_clear(&e);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)
	const struct CMUnitTest tests[] = {
		T(test_names), T(test_what_add_refuses), T(test_load), T(test_bad_files_keep_the_old), T(test_directory_rules),
	};

	umask(022); /* modes must not depend on it */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
