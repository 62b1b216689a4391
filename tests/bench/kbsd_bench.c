/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * cryptattest-kbs under load: CPU time of the server for one full handshake (new TLS connection, auth, attest, one
 * resource) beside the bare OpenSSL operations in it, measured in the same run; then many clients at once.
 *
 *   kbsd_bench [HANDSHAKES [CLIENTS]]     default 200 and 1000
 *
 * Prints lines of the table of bench.sh, which runs it. Exit 1 when a client failed; a missed budget is said, and is exit 0:
 * times swing.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "tests/bench/kbsd_ops.h"
#include "tests/loopback/kbsd_agent.h"

#define SECRET "correct horse battery staple"
#define BUDGET 1.25
#define OPS_ROUNDS 200

static double server_cpu_us(pid_t pid)
{
	struct timespec ts;
	clockid_t id;

	assert_int_equal(clock_getcpuclockid(pid, &id), 0);
	assert_int_equal(clock_gettime(id, &ts), 0);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Seconds in the kernel and in all, to a tick of 10 ms: enough over hundreds of handshakes. */
static void server_times(pid_t pid, double *ret_kernel, double *ret_all)
{
	unsigned long user = 0, kernel = 0;
	char path[64], line[1024];
	const char *behind;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	behind = strrchr(line, ')');
	assert_non_null(behind);
	assert_int_equal(sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel), 2);
	*ret_kernel = (double)kernel;
	*ret_all = (double)(user + kernel);
}

static double peak_kib(pid_t pid)
{
	char path[64], line[128];
	unsigned long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "VmHWM: %lu", &kib) != 1)
		;
	if (f)
		fclose(f);
	return (double)kib;
}

static bool full_handshake(const struct kbsd *k, struct agent *a, struct response *r)
{
	_cleanup_free_ char *body = NULL;

	if (!http_open(&a->http, k->port, NULL, 0))
		return false;
	agent_auth(a, r);
	if (r->status == 200) {
		body = agent_attest_body(a);
		agent_post_attest(a, body, r);
	}
	if (r->status == 200)
		agent_get(a, PATH_ROOT, r);
	http_close(&a->http);
	return agent_reply_is(a, r, SECRET);
}

static void open_ops(struct kbsd *k, enum key_type type, struct ops *ret)
{
	char crt[128], key[128];

	snprintf(crt, sizeof(crt), "%s/server.crt", k->dir);
	snprintf(key, sizeof(key), "%s/server.key", k->dir);
	ops_open(ret, k->pki, type, crt, key);
}

static double ops_sum(const struct ops *ops)
{
	double sum = 0;

	for (size_t i = 0; i < OPS_N; i++)
		sum += i == OP_DECODE ? 0 : ops->us[i] / ops->rounds;
	return sum;
}

/* The columns of bench.sh. */
static void plain(const char *key, const char *what, double figure, const char *unit)
{
	char text[128];

	snprintf(text, sizeof(text), "%s: %s", key, what);
	printf("%-78s %9.0f %9s %s\n", text, figure, "", unit);
}

static void row(const char *key, const char *what, double figure, double budget, const char *unit)
{
	char text[128];

	snprintf(text, sizeof(text), "%s: %s", key, what);
	printf("%-78s %9.0f %9.0f %-6s %5.2f  %s\n", text, figure, budget, unit, budget > 0 ? figure / budget : 0,
	       figure <= budget ? "within" : "OVER");
}

/* One handshake, then one round of the bare operations: both meet the same caches, clock rate and neighbours. */
static double measure(struct kbsd *k, enum key_type type, unsigned int n, struct ops *ops, unsigned int *failed)
{
	static struct response r;
	struct agent a;
	double sum = 0, before;

	agent_open(&a, k, KBS_0_4_0, TEE_SNP, type);
	http_close(&a.http);
	for (unsigned int i = 0; i < n + 5; i++) {
		if (i == 5) /* warm now */
			memset(ops->us, 0, sizeof(ops->us)), ops->rounds = 0;
		before = server_cpu_us(k->pid);
		*failed += !full_handshake(k, &a, &r);
		if (i >= 5)
			sum += server_cpu_us(k->pid) - before;
		ops_round(ops);
	}
	agent_close(&a);
	return sum / n;
}

static void compare(struct kbsd *k, enum key_type type, unsigned int n, unsigned int *failed)
{
	double server, kernel[2], all[2];
	struct ops ops;

	open_ops(k, type, &ops);
	server_times(k->pid, &kernel[0], &all[0]);
	server = measure(k, type, n, &ops, failed);
	server_times(k->pid, &kernel[1], &all[1]);
	for (size_t i = 0; i < OPS_N; i++)
		plain(key_type_name(type), ops_names[i], ops.us[i] / ops.rounds, "us");
	plain(key_type_name(type), "sum of the bare OpenSSL operations, in turns with the server", ops_sum(&ops), "us");
	row(key_type_name(type), "server CPU per full handshake, one client, against 1.25 of it", server, BUDGET * ops_sum(&ops),
	    "us");
	if (all[1] > all[0])
		plain(key_type_name(type), "of that in the kernel, for the socket; the bare operations have none",
		      server * (kernel[1] - kernel[0]) / (all[1] - all[0]), "us");
	ops_close(&ops);
}

/* --- many at once --- */

/* The bare operations one round after the other: a loaded server does not sleep between them either. */
static void bare_rounds(struct kbsd *k, double *ret)
{
	struct ops ops;

	open_ops(k, KEY_EC_P256, &ops);
	for (unsigned int i = 0; i < OPS_ROUNDS; i++)
		ops_round(&ops);
	*ret = ops_sum(&ops);
	ops_close(&ops);
}

struct crowd {
	struct kbsd *k;
	pthread_barrier_t connected;
	unsigned int ok;
	pthread_mutex_t lock;
};

struct member {
	struct crowd *crowd;
	unsigned int number;
	pthread_t thread;
};

static void *client(void *arg)
{
	struct member *m = arg;
	struct response *r = malloc(sizeof(*r));
	struct agent a = { .port = m->crowd->k->port, .pki = m->crowd->k->pki, .protocol = KBS_0_4_0, .tee = TEE_SNP };
	char from[32];
	bool ok;

	/* As many addresses as machines have: eight per address here. */
	snprintf(from, sizeof(from), "127.1.%u.%u", m->number / 8 / 250, m->number / 8 % 250 + 1);
	ok = r && keypair_generate(KEY_EC_P256, &a.key, NULL) == 0 && http_open(&a.http, a.port, from, 0);
	if (ok) {
		a.jwk.alg = JWK_ECDH_A256KW;
		keypair_public(a.key, &a.jwk.key);
		agent_auth(&a, r);
		ok = r->status == 200;
	}
	/* Nobody goes on before all of them hold a connection and a nonce. */
	pthread_barrier_wait(&m->crowd->connected);
	if (ok) {
		_cleanup_free_ char *body = agent_attest_body(&a);

		agent_post_attest(&a, body, r);
		if (r->status == 200)
			agent_get(&a, PATH_ROOT, r);
		ok = agent_reply_is(&a, r, SECRET);
	}
	agent_close(&a);
	free(r);
	pthread_mutex_lock(&m->crowd->lock);
	m->crowd->ok += ok;
	pthread_mutex_unlock(&m->crowd->lock);
	return NULL;
}

static unsigned int crowd(struct kbsd *k, unsigned int n)
{
	struct crowd c = { .k = k };
	struct member *members = calloc(n, sizeof(*members));
	uint64_t start = clock_monotonic_ns(), end;
	char text[64];
	double cpu = server_cpu_us(k->pid), bare;
	pthread_attr_t attr;

	assert_non_null(members);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	pthread_mutex_init(&c.lock, NULL);
	pthread_barrier_init(&c.connected, NULL, n);
	for (unsigned int i = 0; i < n; i++) {
		members[i] = (struct member){ .crowd = &c, .number = i };
		assert_int_equal(pthread_create(&members[i].thread, &attr, client, &members[i]), 0);
	}
	for (unsigned int i = 0; i < n; i++)
		pthread_join(members[i].thread, NULL);
	end = clock_monotonic_ns();
	cpu = (server_cpu_us(k->pid) - cpu) / n;
	bare_rounds(k, &bare);
	snprintf(text, sizeof(text), "%u clients at once", n);
	row(text, "failed", n - c.ok, 0, "");
	plain(text, "time, clients on the same machine", (double)(end - start) / 1e6, "ms");
	plain(text, "sum of the bare OpenSSL operations, round after round", bare, "us");
	row(text, "server CPU per full handshake, against 1.25 of it", cpu, BUDGET * bare, "us");
	free(members);
	return n - c.ok;
}

int main(int argc, char **argv)
{
	unsigned int handshakes = argc > 1 ? (unsigned int)atoi(argv[1]) : 200, clients = argc > 2 ? (unsigned int)atoi(argv[2]) : 1000;
	struct rlimit files = { 65536, 65536 };
	unsigned int failed = 0;
	struct kbsd k;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	signal(SIGPIPE, SIG_IGN);
	http_patience_s = 30; /* the agent's own for one request */
	setvbuf(stdout, NULL, _IOLBF, 0);
	kbsd_setup(&k);
	agent_install_policy(&k);
	kbsd_add_secret(&k, "default/vm/root", SECRET);
	KBSD_START(&k, "--test-root", "ROOTS");
	compare(&k, KEY_EC_P256, handshakes, &failed);
	compare(&k, KEY_RSA_3072, handshakes, &failed);
	if (clients)
		failed += crowd(&k, clients);
	plain("cryptattest-kbs", "peak resident memory", peak_kib(k.pid), "KiB");
	failed += kbsd_stop(&k) != 0;
	kbsd_teardown(&k);
	return failed ? 1 : 0;
}
