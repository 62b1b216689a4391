/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Sessions that lose their child, are cancelled, share a child, or find nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/loopback/lab_check.h"

/* untouched: its child sees good answers only, and none of the plain text that a test sends on purpose. */
static struct lab lab, untouched;

struct raw {
	const char *urls[2];
	struct kbs_intervals intervals;
	struct kbs_params p;
};

/* A session that is set up by hand. */
static void prepare(struct raw *r, const char *url, struct transport *t)
{
	*r = (struct raw){
		.urls = { url },
		.intervals = { .backoff = 20, .backoff_max = 50, .request = 20000, .plugin = 20000, .refused = { 20000, 20000, 20000 } },
		.p = {
			.source = { .transport = { .ca_pem = testca_pem(lab.ca) }, .min_protocol = KBS_0_2_0, .key = { .type = KEY_EC_P256 } },
			.transport = t,
			.tee = "sample",
			.collect = lab_collect,
			.deadline = deadline_in_ms(30000),
		},
	};
	r->p.source.transport.urls = r->urls;
	r->p.intervals = &r->intervals;
}

static void nobody_there(void **state)
{
	struct kbs_session *s = NULL;
	struct err *e = NULL;
	struct raw r;

	prepare(&r, "https://127.0.0.1:1", lab.transport);
	r.p.deadline = deadline_in_ms(200);
	assert_int_equal(kbs_session_new(&r.p, &s, &e), 0);
	assert_int_equal(kbs_session_attest(s, &e), -1);
	assert_int_equal(err_class(e), ERR_UNREACHABLE);
	assert_string_equal(err_id(e), "net-connect");
	assert_true(deadline_passed(r.p.deadline));
	assert_string_equal(kbs_session_token(s), "");
	err_free(e);
	kbs_session_free(s);
}

struct network {
	struct kbs_session *s;
	unsigned int looked, waited;
};

/* The fourth look is the last. */
static int no_address(void *ctx, struct deadline d, struct err **err)
{
	struct network *n = ctx;

	if (++n->looked == 4) {
		kbs_session_set_deadline(n->s, deadline_in_ms(1));
		usleep(5000);
	}
	return err_set(err, ERR_UNREACHABLE, "net-address", "the network has no address");
}

static bool more_at_once(void *ctx, struct deadline d)
{
	struct network *n = ctx;

	n->waited++;
	return true;
}

/* A pause ends with the first news from the network, and the result says what the network lacked. */
static void network_comes_up(void **state)
{
	struct network n = { 0 };
	struct err *e = NULL;
	uint64_t before = clock_ns();
	struct raw r;

	prepare(&r, "https://127.0.0.1:1", lab.transport);
	r.intervals.backoff = r.intervals.backoff_max = 20000;
	r.p.wait_route = no_address;
	r.p.wait_news = more_at_once;
	r.p.wait_ctx = &n;
	assert_int_equal(kbs_session_new(&r.p, &n.s, &e), 0);
	assert_int_equal(kbs_session_attest(n.s, &e), -1);
	assert_int_equal(n.looked, 4);
	assert_true(n.waited >= 3);
	assert_true(clock_ns() - before < 10 * NSEC_PER_SEC);
	assert_int_equal(err_class(e), ERR_UNREACHABLE);
	assert_string_equal(err_id(e), "net-address");
	err_free(e);
	kbs_session_free(n.s);
}

static int kill_child(void *ctx, const uint8_t report_data[static 64], struct deadline d, char **ret_json, struct err **err)
{
	kill(transport_pid(ctx), SIGKILL);
	return lab_collect(NULL, report_data, d, ret_json, err);
}

/* Indeterminate, once and at once: it is not started again. */
static void child_dies(void **state)
{
	const struct fault_conf f = { .cert = &lab.cert, .script = "", .secret = LAB_SECRET };
	struct kbs_session *s = NULL;
	struct transport *t = NULL;
	struct fault_server server;
	struct err *e = NULL;
	uint64_t before = clock_ns();
	struct raw r;

	assert_int_equal(transport_start(kbs_reduce, &t, NULL), 0);
	fault_start(&f, &server);
	prepare(&r, server.url, t);
	r.p.collect = kill_child;
	r.p.collect_ctx = t;
	assert_int_equal(kbs_session_new(&r.p, &s, &e), 0);
	assert_int_equal(kbs_session_attest(s, &e), -1);
	assert_int_equal(err_class(e), ERR_INDETERMINATE);
	assert_string_equal(err_id(e), "transport");
	assert_true(clock_ns() - before < 10 * NSEC_PER_SEC);
	err_free(e);
	kbs_session_free(s);
	fault_forget(&server);
	transport_stop(t);
}

static void *cancel_soon(void *arg)
{
	usleep(100000);
	clock_cancel();
	return NULL;
}

/* In a request, in a pause, while a key is made. */
static void cancelled(void **state)
{
	static const char *const scripts[] = { "auth stall", "attest error AttestationError x", "get error PluginInternalError x", "" };

	for (size_t i = 0; i < 4; i++) {
		const struct fault_conf f = { .cert = &lab.cert, .script = scripts[i], .secret = LAB_SECRET };
		struct kbs_session *s = NULL;
		struct fault_server server;
		struct secret *secret = NULL;
		struct resource_uri uri;
		struct err *e = NULL;
		uint64_t before = clock_ns();
		pthread_t thread;
		struct raw r;

		fault_start(&f, &server);
		prepare(&r, server.url, lab.transport);
		r.intervals.backoff = r.intervals.backoff_max = i == 2 ? 20000 : 20;
		r.p.source.key.type = i == 3 ? KEY_RSA_4096 : KEY_EC_P256;
		assert_int_equal(resource_uri_parse("a/b/c", &uri, NULL), 0);
		assert_int_equal(kbs_session_new(&r.p, &s, &e), 0);
		pthread_create(&thread, NULL, cancel_soon, NULL);
		/* An RSA-4096 key in 0.1 s is luck, and then there is nothing to cancel. */
		if (kbs_session_fetch(s, &uri, &secret, &e) < 0) {
			assert_int_equal(err_class(e), ERR_TIMEOUT);
			assert_string_equal(err_id(e), "cancelled");
		} else {
			assert_int_equal(i, 3);
		}
		pthread_join(thread, NULL);
		clock_cancel_reset();
		kbs_session_free(s);
		assert_true(clock_ns() - before < 10 * NSEC_PER_SEC);
		secret_free(secret);
		err_free(e);
		fault_forget(&server);
	}
}

/* Two brokers, one child: what one has configured must not serve the other. */
static void two_sessions_share_the_child(void **state)
{
	const struct fault_conf f = { .cert = &lab.cert, .script = "", .secret = LAB_SECRET };
	struct fault_server server[2];
	struct kbs_session *s[2] = { NULL, NULL };
	struct resource_uri uri;
	struct raw r[2];

	assert_int_equal(resource_uri_parse("a/b/c", &uri, NULL), 0);
	for (int i = 0; i < 2; i++) {
		fault_start(&f, &server[i]);
		prepare(&r[i], server[i].url, lab.transport);
		assert_int_equal(kbs_session_new(&r[i].p, &s[i], NULL), 0);
	}
	for (int i = 0; i < 6; i++) {
		struct secret *secret = NULL;

		assert_int_equal(kbs_session_fetch(s[i / 2 % 2], &uri, &secret, NULL), 0);
		secret_free(secret);
	}
	/* 0 0 1 1 0 0: the first hand-shakes again when it comes back, with a new key. */
	assert_int_equal(server[0].counts->requests[WHERE_AUTH], 2);
	assert_int_equal(server[0].counts->requests[WHERE_GET], 4);
	assert_int_equal(server[0].counts->distinct_keys, 2);
	assert_int_equal(server[1].counts->requests[WHERE_AUTH], 1);
	assert_int_equal(server[1].counts->requests[WHERE_GET], 2);
	for (int i = 0; i < 2; i++) {
		kbs_session_free(s[i]);
		fault_forget(&server[i]);
	}
}

/* Reads all that can be read of a process; true when the text is in it. */
static bool memory_holds(int mem, FILE *maps, const char *text)
{
	unsigned long from, to;
	bool found = false;
	char line[512], rights[8];

	rewind(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		char *data;
		ssize_t n;

		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || to - from > 256 * 1024 * 1024 || rights[1] != 'w')
			continue;
		data = malloc(to - from);
		assert_non_null(data);
		n = pread(mem, data, to - from, (off_t)from);
		found = n > 0 && memmem(data, (size_t)n, text, strlen(text)) != NULL;
		free(data);
	}
	return found;
}

/* The transport process carries the encrypted answer and nothing more. Needs the right to look into it. */
static void secret_never_in_the_child(void **state)
{
	char path[64];
	FILE *maps;
	int mem;
	struct lab_run r = { .script = { "" } };

	lab_run(&untouched, &r);
	expect_secret(&r);
	snprintf(path, sizeof(path), "/proc/%d/mem", transport_pid(untouched.transport));
	mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", transport_pid(untouched.transport));
	maps = fopen(path, "re");
	if (mem >= 0 && maps) {
		assert_true(memory_holds(mem, maps, "/kbs/v0/")); /* the search works */
		assert_false(memory_holds(mem, maps, LAB_SECRET));
	} else {
		assert_int_not_equal(geteuid(), 0);
		print_message("not allowed to read the child's memory: not checked\n");
	}
	if (mem >= 0)
		close(mem);
	if (maps)
		fclose(maps);
	lab_run_clear(&r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(network_comes_up),
		cmocka_unit_test(child_dies),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(two_sessions_share_the_child),
		cmocka_unit_test(secret_never_in_the_child),
	};
	int r;

	lab_open(&lab);
	lab_open(&untouched);
	r = cmocka_run_group_tests_name("session_life", tests, NULL, NULL);
	lab_close(&untouched);
	lab_close(&lab);
	return r;
}
