/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Faults of a TPM that are none of the wire: lockout, silence, busy for good, out of room; and the device transport, over a pty. */
#include "tests/lib/vtpm_check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/lib/tpm_interposer.h"
#include "tests/lib/tpm_swtpm.h"

/* An object under a PIN, subject to dictionary-attack protection. */
static void pin_object(struct tpm *t, struct tpm_loaded *ret)
{
	_cleanup_esys_ TPM2B_PRIVATE *priv = NULL;
	_cleanup_esys_ TPM2B_PUBLIC *pub = NULL;
	const TPM2B_SENSITIVE_CREATE in = { .sensitive = { .userAuth = { 4, { '1', '2', '3', '4' } }, .data = { 4, { 'd', 'a', 't', 'a' } } } };
	const TPM2B_PUBLIC wanted = { .publicArea = {
		.type = TPM2_ALG_KEYEDHASH,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_USERWITHAUTH,
		.parameters = { .keyedHashDetail = { .scheme = { .scheme = TPM2_ALG_NULL } } },
	} };
	const TPM2B_DATA none = { 0 };
	const TPML_PCR_SELECTION no_pcrs = { 0 };

	assert_int_equal(Esys_Create(t->esys, t->primary, session_for(t, SESSION_BOTH), ESYS_TR_NONE, ESYS_TR_NONE, &in, &wanted, &none, &no_pcrs,
				     &priv, &pub, NULL, NULL, NULL), TSS2_RC_SUCCESS);
	assert_int_equal(Esys_Load(t->esys, t->primary, session_for(t, SESSION_DECRYPT), ESYS_TR_NONE, ESYS_TR_NONE, priv, pub, &ret->tr),
			 TSS2_RC_SUCCESS);
}

static int unseal(struct tpm *t, ESYS_TR object, const char *pin, struct err **err)
{
	_cleanup_esys_ TPM2B_SENSITIVE_DATA *out = NULL;
	TPM2B_AUTH auth = { .size = 4 };
	TSS2_RC rc;

	memcpy(auth.buffer, pin, 4);
	assert_int_equal(Esys_TR_SetAuth(t->esys, object, &auth), TSS2_RC_SUCCESS);
	rc = Esys_Unseal(t->esys, object, session_for(t, SESSION_ENCRYPT), ESYS_TR_NONE, ESYS_TR_NONE, &out);
	return rc == TSS2_RC_SUCCESS ? 0 : tpm_fail_auth(rc, "unsealing", err);
}

static void test_lockout(void **state)
{
	struct tpm_name name;
	_cleanup_tpm_ struct tpm *t = check_trusted(*state, &name);
	_cleanup_loaded_ struct tpm_loaded object = TPM_LOADED(t);
	struct tpm_lockout lockout;
	uint32_t tries;

	pin_object(t, &object);
	assert_ok(unseal(t, object.tr, "1234", &_err));
	assert_ok(tpm_lockout(t, &lockout, &_err));
	tries = lockout.max_tries;
	assert_in_range(tries, 1, 40);
	for (uint32_t i = 0; i < tries; i++) {
		assert_fails(unseal(t, object.tr, "0000", &_err), ERR_TPM, "tpm-auth");
		assert_ok(tpm_lockout(t, &lockout, &_err));
		assert_int_equal(lockout.failed, i + 1);
		assert_int_equal(lockout.locked, i + 1 == tries);
	}
	assert_fails(unseal(t, object.tr, "1234", &_err), ERR_TPM, "tpm-lockout");
	/* What needs no such protection still works: the storage primary is noDA. */
	struct pcr_values v;
	assert_ok(pcr_read(t, PCR_SHA256, 1 << 7, &v, &_err));
	tpm_loaded_flush(&object);
	tpm_close(TAKE_PTR(t));
	swtpm_reboot(*state); /* a reboot does not help */
	t = check_open(swtpm_access(*state));
	assert_ok(tpm_lockout(t, &lockout, &_err));
	assert_true(lockout.locked);
	assert_ok(srk_trust(t, &name, &_err));
}

/* The answer never comes, or only after somebody asked us to end. */
static pid_t swtpm_pid(struct swtpm *s)
{
	char path[128], text[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s", swtpm_path(s));
	strcpy(strrchr(path, '/'), "/pid");
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	return (pid_t)atoi(text);
}

static void test_silent(void **state)
{
	_cleanup_tpm_ struct tpm *t = NULL;
	struct tpm_info info;
	uint64_t before;
	pid_t pid = swtpm_pid(*state);

	assert_ok(tpm_open(swtpm_access(*state), AT_FDCWD, deadline_in_ms(300), &t, &_err));
	assert_ok(tpm_info(t, &info, &_err));
	assert_int_equal(kill(pid, SIGSTOP), 0);
	before = clock_ns();
	assert_fails(tpm_info(t, &info, &_err), ERR_TPM, "tpm-io");
	assert_in_range((clock_ns() - before) / NSEC_PER_MSEC, 2900, 4500);
	assert_fails(tpm_info(t, &info, &_err), ERR_TPM, "tpm-io"); /* at once: no command any more */
	assert_in_range((clock_ns() - before) / NSEC_PER_MSEC, 2900, 4500);
	kill(pid, SIGCONT);
}

/* A deadline that has passed, and a termination, let a TPM in health answer: the cap must still be possible. */
static void test_late(void **state)
{
	static const struct deadline passed = { .at_ns = 1 };
	_cleanup_tpm_ struct tpm *t = NULL;

	assert_ok(tpm_open(swtpm_access(*state), AT_FDCWD, passed, &t, &_err));
	assert_ok(pcr_extend_all(t, 15, "late", 4, &_err));
	clock_cancel_fd();
	clock_cancel();
	assert_ok(pcr_extend_all(t, 15, "later", 5, &_err));
	clock_cancel_reset();
}

static void always_busy(struct tpm_interposer *i, bool command, uint8_t *message, size_t *len)
{
	static const uint8_t retry[10] = { 0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x09, 0x22 };
	unsigned int *left = i->relay_ctx;

	if (command || *left == 0)
		return;
	--*left;
	memcpy(message, retry, sizeof(retry));
	*len = sizeof(retry);
}

static void test_busy(void **state)
{
	struct tpm_interposer i;
	struct tpm *t = NULL;
	struct tpm_info info;
	unsigned int left = 12; /* more than ESYS repeats by itself */
	uint64_t before;

	interposer_init(&i, swtpm_access(*state), NULL);
	i.relay = always_busy;
	i.relay_ctx = &left;
	t = check_open(&i.access);
	assert_ok(tpm_info(t, &info, &_err));
	tpm_close(t);
	left = 100000;
	before = clock_ns();
	assert_ok(tpm_open(&i.access, AT_FDCWD, deadline_in_ms(300), &t, &_err));
	assert_fails(tpm_info(t, &info, &_err), ERR_TPM, "tpm-busy");
	assert_in_range((clock_ns() - before) / NSEC_PER_MSEC, 100, 2000);
	tpm_close(t);
	interposer_clear(&i);
}

/* Slots that others filled: a bounded wait, then the reason. */
static void test_full(void **state)
{
	_cleanup_tpm_ struct tpm *t = check_open(swtpm_access(*state));
	struct tpm_loaded s[8] = { 0 };
	struct tpm_info info;
	size_t n = 0;

	for (; n < ARRAY_SIZE(s); n++) {
		_cleanup_err_ struct err *err = NULL;

		s[n] = (struct tpm_loaded)TPM_LOADED(t);
		if (session_unsalted(t, &s[n], &err) == 0)
			continue;
		assert_string_equal(err_id(err), "tpm-busy");
		break;
	}
	assert_in_range(n, 2, 7);
	assert_ok(tpm_info(t, &info, &_err));
	while (n-- > 0)
		tpm_loaded_flush(&s[n]);
	assert_ok(session_unsalted(t, &s[0], &_err));
	tpm_loaded_flush(&s[0]);
}

/*
 * /dev/tpmrm0 is a character device that takes a command in one write and gives its answer in one read; so is a terminal in raw mode,
 * whose other end a child serves from swtpm.
 */
static void serve(int pty, const char *path)
{
	TSS2_TCTI_CONTEXT *tcti;
	void *p = NULL;

	if (tpm_swtpm_connect(path, &p, NULL) < 0)
		_exit(1);
	tcti = p;
	for (;;) {
		uint8_t message[4096];
		size_t len = sizeof(message);
		ssize_t n = read(pty, message, sizeof(message));

		if (n <= 0)
			_exit(0);
		if (Tss2_Tcti_Transmit(tcti, (size_t)n, message) != TSS2_RC_SUCCESS ||
		    Tss2_Tcti_Receive(tcti, &len, message, TSS2_TCTI_TIMEOUT_BLOCK) != TSS2_RC_SUCCESS ||
		    write(pty, message, len) != (ssize_t)len)
			_exit(1);
	}
}

static void test_device(void **state)
{
	char root[] = "/tmp/test-vtpm-XXXXXX";
	_cleanup_close_ int fd = -1, pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), keep = -1;
	struct termios raw;
	struct tpm *t = NULL;
	struct tpm_name name;
	pid_t child;

	if (pty < 0) {
		print_message("# no pseudo-terminals here: the device's part is left out\n");
		return;
	}
	assert_non_null(mkdtemp(root));
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true( grantpt(pty) == 0 && unlockpt(pty) == 0);
	keep = open(ptsname(pty), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_equal(tcgetattr(keep, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(keep, TCSANOW, &raw), 0);
	assert_int_equal(mkdirat(fd, "dev", 0700), 0);
	/* A plain file is no TPM. */
	close(openat(fd, "dev/tpmrm0", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_false(tpm_access_device.present(&tpm_access_device, fd));
	assert_fails(tpm_open(&tpm_access_device, fd, deadline_in_ms(1000), &t, &_err), ERR_TPM, "tpm-absent");
	unlinkat(fd, "dev/tpmrm0", 0);
	assert_int_equal(symlinkat(ptsname(pty), fd, "dev/tpmrm0"), 0);
	child = fork();
	if (child == 0)
		serve(pty, swtpm_path(*state));
	assert_true(tpm_access_device.present(&tpm_access_device, fd));
	assert_ok(tpm_open(&tpm_access_device, fd, deadline_in_ms(20000), &t, &_err));
	{
		_cleanup_srk_ struct srk srk = SRK_INIT(t);

		assert_ok(srk_show(t, &srk, &_err));
		name = srk.name;
	}
	assert_ok(srk_trust(t, &name, &_err));
	assert_ok(pcr_extend_all(t, 15, "x", 1, &_err));
	/* It goes away while we talk to it. */
	assert_int_equal(kill(child, SIGKILL), 0);
	waitpid(child, NULL, 0);
	close(pty);
	pty = -1;
	assert_fails(pcr_extend_all(t, 15, "x", 1, &_err), ERR_TPM, "tpm-io");
	tpm_close(t);
	unlinkat(fd, "dev/tpmrm0", 0);
	unlinkat(fd, "dev", AT_REMOVEDIR);
	rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		vtpm_test(test_lockout), vtpm_test(test_silent), vtpm_test(test_late),
		vtpm_test(test_busy),	 vtpm_test(test_full),	 vtpm_test(test_device),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
