/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A server's life: start, reload with good and bad files, expiry, another user, a key that changes, the end. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "tests/loopback/kbsd_agent.h"

#define SECRET "correct horse battery staple"
#define SECRET2 "another passphrase, quite long"

static struct kbsd k;
static struct response r;

static int setup(void **state)
{
	(void)state;
	kbsd_setup(&k);
	agent_install_policy(&k);
	kbsd_add_secret(&k, "default/vm/root", SECRET);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (k.pid)
		assert_int_equal(kbsd_stop(&k), 0);
	kbsd_teardown(&k);
	return 0;
}

static struct agent attested(void)
{
	struct agent a;

	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_attest(&a, &r);
	assert_int_equal(r.status, 200);
	return a;
}

static bool secret_is(struct agent *a, const char *text)
{
	agent_get(a, PATH_ROOT, &r);
	return agent_reply_is(a, &r, text);
}

static void test_reload_policy_and_resources(void **state)
{
	_cleanup_free_ char *policy = agent_policy(k.pki, true);

	(void)state;
	KBSD_START(&k, "--test-root", "ROOTS");
	struct agent a = attested();
	assert_true(secret_is(&a, SECRET));
	/* Nothing changes before the signal; then all of it. */
	kbsd_add_secret(&k, "default/vm/root", SECRET2);
	assert_true(secret_is(&a, SECRET));
	kbsd_hup(&k);
	assert_true(secret_is(&a, SECRET2));
	kbsd_write(&k, "policy.conf", "# nothing\n", 0600);
	assert_true(secret_is(&a, SECRET2));
	kbsd_hup(&k);
	agent_get(&a, PATH_ROOT, &r);
	assert_true(response_is(&r, 401, "PolicyDeny"));
	kbsd_write(&k, "policy.conf", policy, 0600);
	kbsd_hup(&k);
	assert_true(secret_is(&a, SECRET2));
	assert_int_equal(KBSD(&k, NULL, NULL, "resource", "rm", "--dir", "DIR", "default/vm/root"), 0);
	kbsd_hup(&k);
	agent_get(&a, PATH_ROOT, &r);
	assert_true(response_is(&r, 401, "PluginInternalError"));
	assert_true(kbsd_log_has(&k, "no-resource"));
	agent_close(&a);
}

static void test_reload_of_bad_files(void **state)
{
	(void)state;
	KBSD_START(&k, "--test-root", "ROOTS");
	struct agent a = attested();
	kbsd_write(&k, "policy.conf", "[resource default/vm/root]\ntee = snp\nmeasurment = 00\n", 0600);
	kbsd_hup(&k);
	assert_true(secret_is(&a, SECRET));
	assert_true(kbsd_log_has(&k, "the earlier policy stays in force"));
	assert_true(kbsd_log_has(&k, "policy.conf:3"));
	kbsd_write(&k, "resources/default:vm:root", "", 0600);
	kbsd_hup(&k);
	assert_true(secret_is(&a, SECRET));
	assert_true(kbsd_log_has(&k, "resource default/vm/root: the earlier content stays in force"));
	kbsd_write(&k, "resources/default:vm:root", SECRET2, 0644);
	kbsd_hup(&k);
	assert_true(secret_is(&a, SECRET));
	kbsd_write(&k, "server.crt", "junk", 0600);
	kbsd_hup(&k);
	assert_true(kbsd_log_has(&k, "the earlier certificate stays in force"));
	agent_reconnect(&a);
	assert_true(secret_is(&a, SECRET));
	kbsd_write(&k, "ca.pem", "junk", 0600);
	kbsd_hup(&k);
	assert_true(kbsd_log_has(&k, "the earlier chain file stays in force"));
	assert_true(kbsd_log_has(&k, "4 parts were bad"));
	agent_close(&a);
}

static void peer_pin(struct agent *a, char out[static 65])
{
	unsigned char md[EVP_MAX_MD_SIZE], *der = NULL;
	X509 *cert = SSL_get1_peer_certificate(a->http.ssl);
	unsigned int n = 0;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	assert_true(len > 0 && EVP_Digest(der, (size_t)len, md, &n, EVP_sha256(), NULL));
	EVP_EncodeBlock((unsigned char *)out, md, 32);
	OPENSSL_free(der);
	X509_free(cert);
}

/* The pins that init printed are the keys that the server shows, before and after a rotation. */
static void test_rotation(void **state)
{
	char before[4096], after[4096], pin[65];
	char *next;

	(void)state;
	KBSD_START(&k, "--test-root", "ROOTS");
	struct agent a = attested();
	peer_pin(&a, pin);
	assert_int_equal(KBSD(&k, NULL, before, "init", "--rotate", "DIR"), 0);
	assert_null(strstr(before, pin)); /* two new ones: the former next, and another */
	next = strstr(before, "pin = sha256//");
	assert_non_null(next);
	kbsd_hup(&k);
	agent_reconnect(&a);
	peer_pin(&a, pin);
	assert_memory_equal(next + strlen("pin = sha256//"), pin, 44);
	assert_true(secret_is(&a, SECRET)); /* sessions survive */
	assert_int_equal(KBSD(&k, NULL, after, "init", "--rotate", "DIR"), 0);
	/* The key that was announced as the next is the one in use now. */
	next = strstr(next + 1, "pin = sha256//");
	assert_non_null(next);
	assert_non_null(strstr(after, next) ? strstr(after, next) : strstr(after, "pin"));
	assert_memory_equal(strstr(after, "pin = "), next, strlen("pin = sha256//") + 44);
	agent_close(&a);
}

static void test_expiry(void **state)
{
	const struct timespec wait = { .tv_sec = 1, .tv_nsec = 200000000 };

	(void)state;
	KBSD_START(&k, "--test-root", "ROOTS", "--session-time", "1s");
	struct agent a = attested(), b;
	assert_true(secret_is(&a, SECRET));
	agent_open(&b, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_auth(&b, &r);
	_cleanup_free_ char *body = agent_attest_body(&b);
	nanosleep(&wait, NULL);
	agent_get(&a, PATH_ROOT, &r);
	assert_true(response_is(&r, 401, "TokenNotFound"));
	_cleanup_free_ char *extra = text_printf("Authorization: Bearer %s\r\n", a.token);
	http_request(&a.http, "GET", PATH_ROOT, extra, NULL, &r);
	assert_true(response_is(&r, 401, "TokenVerifierError"));
	agent_post_attest(&b, body, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	agent_close(&a);
	agent_close(&b);
}

/* A server that trusts a test root releases nothing that real machines get, and a real one no test evidence. */
static void test_test_roots(void **state)
{
	_cleanup_free_ char *ordinary = agent_policy(k.pki, false);
	struct agent a;

	(void)state;
	kbsd_write(&k, "policy.conf", ordinary, 0600);
	KBSD_START(&k, "--test-root", "ROOTS");
	assert_true(kbsd_log_has(&k, "TEST ROOTS ARE TRUSTED"));
	a = attested();
	agent_get(&a, PATH_ROOT, &r);
	assert_true(response_is(&r, 401, "PolicyDeny"));
	agent_close(&a);
	assert_int_equal(kbsd_stop(&k), 0);
	KBSD_START(&k, NULL);
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_attest(&a, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	agent_close(&a);
}

static void make_dir(const char *name)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", k.dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(stat(k.dir, &st), 0);
	assert_int_equal(chown(path, st.st_uid, st.st_gid), 0);
}

static void copy_der(const char *cert, const char *to)
{
	_cleanup_buf_ struct buf der = BUF_INIT(65536);
	_cleanup_free_ char *text = NULL;

	assert_int_equal(testpki_der(k.pki, cert, &der, NULL), 0);
	/* PEM, because kbsd_write() takes text. */
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;
	assert_true(PEM_write_bio(bio, "CERTIFICATE", "", der.data, (long)der.len) > 0);
	long len = BIO_get_mem_data(bio, &pem);
	text = strndup(pem, (size_t)len);
	BIO_free(bio);
	kbsd_write(&k, to, text, 0600);
}

/* A host that supplies no certificates: the leaf from the offline store, the chain from ca.pem. */
static void test_offline_store(void **state)
{
	char dir[256], file[300], hwid[129];
	struct snp_report rep;
	struct agent a;

	(void)state;
	testpki_snp_template(k.pki, &rep);
	hex_encode(rep.chip_id, 64, hwid);
	make_dir("kds-store/vcek");
	snprintf(dir, sizeof(dir), "kds-store/vcek/%s", hwid);
	make_dir(dir);
	KBSD_START(&k, "--test-root", "ROOTS");
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	a.no_certs = true;
	agent_attest(&a, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	snprintf(file, sizeof(file), "%s/vcek.der", dir);
	copy_der("vcek", file);
	agent_attest(&a, &r);
	assert_true(response_is(&r, 401, "AttestationError")); /* no ASK yet */
	copy_der("ask", "ca.pem");
	kbsd_hup(&k);
	agent_attest(&a, &r);
	assert_int_equal(r.status, 200);
	assert_true(secret_is(&a, SECRET));
	agent_close(&a);
}

static void test_one_protocol(void **state)
{
	struct agent a;

	(void)state;
	KBSD_START(&k, "--test-root", "ROOTS", "--protocol", "0.2.0");
	agent_open(&a, &k, KBS_0_4_0, TEE_SNP, KEY_EC_P256);
	agent_auth(&a, &r);
	assert_true(response_is(&r, 401, "AttestationError"));
	assert_non_null(strstr(r.body, "expect =0.2.0 while the request is 0.4.0"));
	agent_close(&a);
	agent_open(&a, &k, KBS_0_2_0, TEE_SNP, KEY_EC_P256);
	agent_attest(&a, &r);
	assert_int_equal(r.status, 200);
	assert_true(secret_is(&a, SECRET));
	agent_close(&a);
}

/* Never root, no way back, no core, secrets not to be read through /proc by the same user. */
static void test_process(void **state)
{
	char path[64], line[256];
	unsigned int uid[4] = { 0 }, no_new_privs = 0;
	struct stat st;

	(void)state;
	KBSD_START(&k, NULL);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)k.pid);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "Uid: %u %u %u %u", &uid[0], &uid[1], &uid[2], &uid[3]);
		sscanf(line, "NoNewPrivs: %u", &no_new_privs);
		if (strncmp(line, "CapEff:", 7) == 0 || strncmp(line, "CapPrm:", 7) == 0)
			assert_non_null(strstr(line, "0000000000000000"));
	}
	fclose(f);
	assert_int_equal(stat(k.dir, &st), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_not_equal(uid[i], 0);
		assert_int_equal(uid[i], st.st_uid);
	}
	assert_int_equal(no_new_privs, 1);
	/* Not dumpable: its /proc files belong to root. */
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)k.pid);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
}

static void assert_mode(const char *name, mode_t mode)
{
	char path[256];
	struct stat st, dir;

	snprintf(path, sizeof(path), "%s/%s", k.dir, name);
	assert_int_equal(stat(k.dir, &dir), 0);
	assert_int_equal(stat(path, &st), 0);
	if ((st.st_mode & 07777) != mode || st.st_uid != dir.st_uid)
		fail_msg("%s: mode %o, uid %u", name, st.st_mode & 07777, st.st_uid);
}

static void test_modes(void **state)
{
	(void)state;
	assert_mode(".", 0700);
	assert_mode("resources", 0700);
	assert_mode("resources/default:vm:root", 0600);
	assert_mode("server.key", 0600);
	assert_mode("next.key", 0600);
	assert_mode("token.key", 0600);
	assert_mode("server.crt", 0644);
	assert_int_equal(chmod(k.dir, 0755), 0);
	assert_int_equal(KBSD(&k, NULL, NULL, "serve", "--dir", "DIR", "--listen", "127.0.0.1:0"), 2);
	assert_int_equal(chmod(k.dir, 0700), 0);
}

static void test_bad_start(void **state)
{
	static const char *const names[] = { "server.crt", "server.key", "token.key", "policy.conf", "ca.pem" };
	char path[256], saved[256], out[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", k.dir, names[i]);
		snprintf(saved, sizeof(saved), "%s/saved", k.dir);
		bool was = rename(path, saved) == 0;
		kbsd_write(&k, names[i], "junk [", 0600);
		if (KBSD(&k, NULL, out, "serve", "--dir", "DIR", "--listen", "127.0.0.1:0") != 2)
			fail_msg("%s: %s", names[i], out);
		unlink(path);
		if (was)
			assert_int_equal(rename(saved, path), 0);
	}
	KBSD_START(&k, NULL); /* all restored */
}

/* add killed at any moment: the resource is the old one or the new one, and the next add works. */
static void test_killed_add(void **state)
{
	char file[128], big[2][60001];

	(void)state;
	for (int i = 0; i < 2; i++) {
		memset(big[i], 'a' + i, 60000);
		big[i][60000] = '\0';
	}
	kbsd_add_secret(&k, "default/vm/root", big[0]);
	snprintf(file, sizeof(file), "%s/secret", k.top);
	FILE *f = fopen(file, "we");
	assert_non_null(f);
	fputs(big[1], f);
	fclose(f);
	for (int i = 0; i < 40; i++) {
		const struct timespec wait = { .tv_nsec = 400000L * i };
		_cleanup_free_ char *cmd = text_printf("exec %s/cryptattest-kbs resource add --dir %s --replace --file %s "
						       "default/vm/root", getenv("TOP_BUILDDIR") ? getenv("TOP_BUILDDIR") : ".",
						       k.dir, file);
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			execl("/bin/sh", "sh", "-c", cmd, NULL);
			_exit(127);
		}
		nanosleep(&wait, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		char path[256], got[60010] = "";
		snprintf(path, sizeof(path), "%s/resources/default:vm:root", k.dir);
		f = fopen(path, "re");
		assert_non_null(f);
		size_t n = fread(got, 1, sizeof(got), f);
		fclose(f);
		assert_int_equal(n, 60000);
		assert_true(memcmp(got, big[0], n) == 0 || memcmp(got, big[1], n) == 0);
	}
	kbsd_add_secret(&k, "default/vm/root", SECRET);
	KBSD_START(&k, "--test-root", "ROOTS");
	struct agent a = attested();
	assert_true(secret_is(&a, SECRET));
	agent_close(&a);
}

static void test_two_signals(void **state)
{
	(void)state;
	KBSD_START(&k, NULL);
	struct http h;
	assert_true(http_open(&h, k.port, NULL, 0));
	kill(k.pid, SIGTERM);
	assert_int_equal(kbsd_stop(&k), 0); /* an idle client does not hold it up */
	http_close(&h);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_reload_policy_and_resources), T(test_reload_of_bad_files), T(test_rotation), T(test_expiry),
		T(test_test_roots), T(test_offline_store), T(test_one_protocol), T(test_process), T(test_modes), T(test_bad_start),
		T(test_killed_add), T(test_two_signals),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
