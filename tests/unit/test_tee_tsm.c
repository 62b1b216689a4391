/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What results of configfs-tsm mean, and what plain files can show of it (test_sev_guest.c: the other transport). Commit at close, generations
 * and blocking need the real configfs: tests/emul proves them in a guest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "tee/errors.h"
#include "tee/providers.h"
#include "tee/tsm.h"
#include "tee_root.h"

static void expect(struct err *e, enum err_class cls, const char *id)
{
	assert_non_null(e);
	assert_string_equal(err_id(e), id);
	assert_int_equal(err_class(e), cls);
}

static void errno_tables(void **state)
{
	static const struct {
		enum tee_kind kind;
		int errnum;
		enum err_class cls;
		const char *id;
		bool reboot;
	} t[] = {
		{ TEE_SNP, EINVAL, ERR_NOEVIDENCE, "tee-param", false },
		{ TEE_SNP, ETIMEDOUT, ERR_NOEVIDENCE, "vmpck", true },
		{ TEE_SNP, EIO, ERR_NOEVIDENCE, "vmpck", true },
		{ TEE_SNP, ENOTTY, ERR_NOEVIDENCE, "vmpck", true },
		{ TEE_SNP, EBADMSG, ERR_NOEVIDENCE, "vmpck", true },
		{ TEE_SNP, EFAULT, ERR_NOEVIDENCE, "vmpck", true },
		{ TEE_SNP, ENXIO, ERR_NOEVIDENCE, "tee-firmware", false },
		{ TEE_SNP, EBUSY, ERR_BUSY, "tee-busy", false },
		{ TEE_SNP, EINTR, ERR_BUSY, "tee-interrupted", false },
		{ TEE_SNP, EFBIG, ERR_NOEVIDENCE, "tee-size", false },
		{ TEE_SNP, ENOMEM, ERR_NOMEM, "nomem", false },
		{ TEE_TDX, EINVAL, ERR_NOEVIDENCE, "tee-param", false },
		{ TEE_TDX, EBUSY, ERR_BUSY, "tee-busy", false },
		{ TEE_TDX, ETIMEDOUT, ERR_BUSY, "tee-slow", false },
		{ TEE_TDX, EINTR, ERR_BUSY, "tee-interrupted", false },
		{ TEE_TDX, EIO, ERR_NOEVIDENCE, "tee-host", false },
		{ TEE_TDX, ENXIO, ERR_NOEVIDENCE, "tee-driver", false },
		{ TEE_TDX, ENOTTY, ERR_NOEVIDENCE, "tee-driver", false },
		{ TEE_TDX, EFBIG, ERR_NOEVIDENCE, "tee-size", false },
		{ TEE_TDX, EPROTO, ERR_NOEVIDENCE, "tee-host", false },
		{ TEE_TDX, ENOMEM, ERR_NOMEM, "nomem", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_cleanup_err_ struct err *e = NULL;

		assert_true(tee_errno(t[i].kind, t[i].errnum, "x", &e) < 0);
		expect(e, t[i].cls, t[i].id);
		assert_int_equal(strstr(err_hint_text(e), "rebooted") != NULL, t[i].reboot);
	}
}

static struct tsm_request *done(enum tee_kind kind)
{
	struct tsm_request *q = tee_shared_new(sizeof(*q));

	assert_non_null(q);
	q->step = TSM_DONE;
	q->writes = q->g1 = 1;
	q->out_len = kind == TEE_SNP ? SNP_REPORT_SIZE : 5000;
	strcpy(q->want, kind == TEE_SNP ? "sev_guest" : "tdx_guest");
	strcpy(q->provider, q->want);
	return q;
}

static void judge(enum tee_kind kind, struct tsm_request *q, enum err_class cls, const char *id)
{
	_cleanup_err_ struct err *e = NULL;

	assert_true(tsm_judge(q, kind, &e) < 0);
	expect(e, cls, id);
}

static void generation_rule(void **state)
{
	struct tsm_request *q _cleanup_shared_ = done(TEE_SNP);

	assert_int_equal(tsm_judge(q, TEE_SNP, NULL), 0);
	q->g0 = 7;
	q->writes = 2;
	q->g1 = 9;
	assert_int_equal(tsm_judge(q, TEE_SNP, NULL), 0);
	q->g1 = 10; /* somebody else's write */
	judge(TEE_SNP, q, ERR_BUSY, "generation");
	q->g1 = 8; /* one of ours was not committed */
	judge(TEE_SNP, q, ERR_BUSY, "generation");
	q->g0 = UINT64_MAX; /* wraps like the kernel's counter */
	q->g1 = 1;
	assert_int_equal(tsm_judge(q, TEE_SNP, NULL), 0);
}

static void empty_quotes(void **state)
{
	struct tsm_request *q _cleanup_shared_ = done(TEE_TDX);

	assert_int_equal(tsm_judge(q, TEE_TDX, NULL), 0);
	q->out_len = 1020;
	assert_int_equal(tsm_judge(q, TEE_TDX, NULL), 0);
	q->out_len = 1019;
	judge(TEE_TDX, q, ERR_NOEVIDENCE, "empty-quote");
	q->out_len = 0;
	judge(TEE_TDX, q, ERR_NOEVIDENCE, "empty-quote");
	judge(TEE_SNP, q, ERR_NOEVIDENCE, "empty-quote");
}

struct step_case {
	enum tsm_step step;
	int error;
	enum err_class cls;
	const char *id;
};

static void judge_steps(struct tsm_request *q, const struct step_case *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		q->step = t[i].step;
		q->error = t[i].error;
		judge(TEE_SNP, q, t[i].cls, t[i].id);
	}
}

static void steps(void **state)
{
	static const struct step_case t[] = {
		{ TSM_MKDIR, ENXIO, ERR_NOEVIDENCE, "tee-driver" },    { TSM_MKDIR, ENOENT, ERR_NOEVIDENCE, "tee-driver" },
		{ TSM_MKDIR, EACCES, ERR_NOEVIDENCE, "tee-permission" }, { TSM_MKDIR, EPERM, ERR_NOEVIDENCE, "tee-permission" },
		{ TSM_MKDIR, ENOMEM, ERR_NOMEM, "nomem" },	       { TSM_PROVIDER, ENODEV, ERR_NOEVIDENCE, "tee-provider" },
		{ TSM_PROVIDER, EIO, ERR_NOEVIDENCE, "tee-param" },    { TSM_PRIVLEVEL, EINVAL, ERR_NOEVIDENCE, "tee-param" },
		{ TSM_INBLOB, EFBIG, ERR_NOEVIDENCE, "tee-param" },    { TSM_GENERATION, EIO, ERR_NOEVIDENCE, "tee-param" },
		{ TSM_OUTBLOB, EIO, ERR_NOEVIDENCE, "vmpck" },	       { TSM_AUXBLOB, ETIMEDOUT, ERR_NOEVIDENCE, "vmpck" },
	};
	struct tsm_request *q _cleanup_shared_ = done(TEE_SNP);

	judge_steps(q, t, ARRAY_SIZE(t));
}

static void service_steps(void **state)
{
	static const struct step_case t[] = {
		{ TSM_SERVICE, ENOENT, ERR_NOEVIDENCE, "svsm-absent" }, { TSM_SERVICE, EINVAL, ERR_NOEVIDENCE, "svsm-refused" },
		{ TSM_OUTBLOB, EINVAL, ERR_NOEVIDENCE, "svsm-refused" }, { TSM_OUTBLOB, EFAULT, ERR_NOEVIDENCE, "svsm-refused" },
		{ TSM_OUTBLOB, EINTR, ERR_BUSY, "tee-interrupted" },	 { TSM_OUTBLOB, EBUSY, ERR_BUSY, "tee-busy" },
		{ TSM_MANIFEST, EFBIG, ERR_NOEVIDENCE, "svsm-refused" }, { TSM_AUXBLOB, ENOMEM, ERR_NOMEM, "nomem" },
		{ TSM_INBLOB, EFBIG, ERR_NOEVIDENCE, "tee-param" },	 { TSM_MKDIR, ENXIO, ERR_NOEVIDENCE, "tee-driver" },
	};
	struct tsm_request *q _cleanup_shared_ = done(TEE_SNP);

	strcpy(q->service, "c476f1eb-0123-45a5-9641-b4e7dde5bfe3");
	judge_steps(q, t, ARRAY_SIZE(t));
}

/* An instance's directory dressed up: what is written stays to be seen, and the generation, a pipe, tells its two values in turn. */
static pid_t dress_up(struct tee_root *t, const char *floor, const char *g0, const char *g1)
{
	static const char *const writable[] = { "inblob", "privlevel", "service_provider", "service_guid", "service_manifest_version" };
	pid_t pid;

	tee_root_dir(t, "i");
	for (size_t i = 0; i < ARRAY_SIZE(writable); i++) {
		char path[64];

		snprintf(path, sizeof(path), "i/%s", writable[i]);
		tee_root_file(t, path, "", 0);
	}
	tee_root_file(t, "i/provider", "sev_guest\n", 10);
	tee_root_file(t, "i/privlevel_floor", floor, 2);
	tee_root_file(t, "i/outblob", "report", 6);
	tee_root_file(t, "i/auxblob", "certs", 5);
	tee_root_file(t, "i/manifestblob", "manifest", 8);
	assert_int_equal(mkfifoat(t->env.root_fd, "i/generation", 0600), 0);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		for (int i = 0; i < 2; i++) {
			int fd = openat(t->env.root_fd, "i/generation", O_WRONLY);
			struct stat st = { 0 };

			if (fd < 0 || write(fd, i ? g1 : g0, 2) != 2)
				_exit(1);
			close(fd);
			/* The reader has closed it too once it writes its request. */
			while (st.st_size == 0 && fstatat(t->env.root_fd, "i/inblob", &st, 0) == 0)
				usleep(500);
		}
		_exit(0);
	}
	return pid;
}

static void assert_written(struct tee_root *t, const char *name, const void *want, size_t want_len)
{
	_cleanup_free_ char *got = NULL;
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "i/%s", name);
	assert_int_equal(file_read(t->env.root_fd, path, 64, ERR_INTERNAL, &got, &len, NULL), 0);
	assert_int_equal(len, want_len);
	assert_memory_equal(got, want, len);
}

static struct tsm_request *use(struct tee_root *t, const char *service, const char *g0, const char *g1)
{
	struct tsm_request *q = tee_shared_new(sizeof(*q));
	pid_t pid = dress_up(t, "2\n", g0, g1);
	int dir = openat(t->env.root_fd, "i", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_non_null(q);
	strcpy(q->want, "sev_guest");
	strcpy(q->service, service);
	q->want_aux = true;
	memset(q->data, 'n', sizeof(q->data));
	tsm_use_instance(q, dir);
	close(dir);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return q;
}

static void service_request(void **state)
{
	struct tee_root *t = *state;
	struct tsm_request *q _cleanup_shared_ = use(t, "c476f1eb-0123-45a5-9641-b4e7dde5bfe3", "0\n", "4\n");
	_cleanup_err_ struct err *e = NULL;

	assert_int_equal(tsm_judge(q, TEE_SNP, &e), 0);
	assert_int_equal(q->writes, 4);
	assert_written(t, "service_provider", "svsm", 4);
	assert_written(t, "service_guid", "c476f1eb-0123-45a5-9641-b4e7dde5bfe3", 36);
	assert_written(t, "service_manifest_version", "0", 1);
	assert_written(t, "inblob", q->data, sizeof(q->data));
	assert_written(t, "privlevel", "", 0);
	assert_int_equal(q->out_len, 6);
	assert_int_equal(q->aux_len, 5);
	assert_int_equal(q->manifest_len, 8);
	assert_memory_equal(q->manifest, "manifest", 8);
}

/* The guest's own report from the same directory: no service, but the privilege level. */
static void own_request(void **state)
{
	struct tee_root *t = *state;
	struct tsm_request *q _cleanup_shared_ = use(t, "", "7\n", "9\n");

	assert_int_equal(tsm_judge(q, TEE_SNP, NULL), 0);
	assert_written(t, "privlevel", "2", 1);
	assert_written(t, "service_provider", "", 0);
	assert_written(t, "service_guid", "", 0);
	assert_int_equal(q->manifest_len, 0);
}

/* Somebody wrote to our instance between the request and its blobs. */
static void service_generation(void **state)
{
	struct tsm_request *q _cleanup_shared_ = use(*state, "c476f1eb-0123-45a5-9641-b4e7dde5bfe3", "0\n", "5\n");

	judge(TEE_SNP, q, ERR_BUSY, "generation");
}

#define SUFFIX "-0123456789abcdef"

static void sweep(void **state)
{
	static const char *const kept[] = { "other-1", "cryptattest-", "cryptattest-x" SUFFIX, "cryptattest-0" SUFFIX,
					    "cryptattest-99999999999" SUFFIX, "cryptattest-1" SUFFIX, "cryptattest" };
	struct tee_root *t = *state;
	char gone[64], mine[64], odd[64];
	pid_t pid = fork();
	int fd;

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(gone, sizeof(gone), "r/cryptattest-%d" SUFFIX, (int)pid);
	snprintf(odd, sizeof(odd), "r/cryptattest-%d-012", (int)pid);
	snprintf(mine, sizeof(mine), "r/cryptattest-%d" SUFFIX, (int)getpid());
	tee_root_dir(t, gone);
	tee_root_dir(t, odd);
	tee_root_dir(t, mine);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		char path[64];

		snprintf(path, sizeof(path), "r/%s", kept[i]);
		tee_root_dir(t, path);
	}
	fd = openat(t->env.root_fd, "r", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(tsm_sweep(fd), 1);
	assert_int_equal(tsm_sweep(fd), 0);
	close(fd);
	assert_false(tee_root_has(t, gone));
	assert_true(tee_root_has(t, mine));
	assert_true(tee_root_has(t, odd));
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		char path[64];

		snprintf(path, sizeof(path), "r/%s", kept[i]);
		assert_true(tee_root_has(t, path));
	}
}

/* A directory that is no configfs: instances without attributes; the step is named, and nothing is left behind. */
static void no_attributes(void **state)
{
	struct tee_root *t = *state;
	struct buf why _cleanup_buf_ = BUF_INIT(512);
	_cleanup_err_ struct err *e = NULL;
	struct tsm_request *q = NULL;
	struct evidence ev;
	uint8_t data[64] = { 1 };

	assert_int_equal(tsm_probe(&t->env, "sev_guest", &why), TEE_ABSENT);
	assert_non_null(strstr(buf_cstr(&why), "configfs is not mounted"));
	assert_true(tsm_report(&t->env, &(struct tee_job){ .what = "x" }, TEE_SNP, "sev_guest", NULL, data, deadline_in_ms(1000), &q,
			       &e) < 0);
	expect(e, ERR_NOEVIDENCE, "tee-driver");
	err_clear(&e);
	tee_root_dir(t, TSM_REPORT_DIR);
	buf_reset(&why);
	assert_int_equal(tsm_probe(&t->env, "sev_guest", &why), TEE_ABSENT);
	assert_string_equal(buf_cstr(&why), "configfs-tsm: provider: No such file or directory");
	assert_true(tee_tdx_configfs.collect(&t->env, data, deadline_in_ms(1000), &ev, &e) < 0);
	expect(e, ERR_NOEVIDENCE, "tee-param");
	assert_int_equal(unlinkat(t->env.root_fd, TSM_REPORT_DIR, AT_REMOVEDIR), 0); /* empty */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tee_root_setup, tee_root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errno_tables),	 cmocka_unit_test(generation_rule),
		cmocka_unit_test(empty_quotes),	 cmocka_unit_test(steps),
		TEST(sweep),			 TEST(no_attributes),
		cmocka_unit_test(service_steps),
		TEST(service_request),		 TEST(own_request),
		TEST(service_generation),
	};

	return cmocka_run_group_tests_name("tee_tsm", tests, NULL, NULL);
}
