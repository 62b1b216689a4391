/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The transport child as a process: what it has given up, and what the parent makes of one that dies, lies or hangs. The
 * reducer runs inside the child, so a reducer of ours can play a subverted one: it writes to the pair itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fileio.h"
#include "base/text.h"
#include "http/confine.h"
#include "http/frame.h"
#include "http/transport.h"
#include "tests/loopback/faultkbs.h"
#include "tests/loopback/transport_check.h"

static struct testca *ca;
static struct testcert cert;
static struct fault_server server;

static void put(const struct buf *b)
{
	for (size_t off = 0; off < b->len; off += FRAME_PART)
		send(CONFINE_FD, b->data + off, b->len - off < FRAME_PART ? b->len - off : FRAME_PART, 0);
}

static void lie(const char *how)
{
	static char long_text[70000];
	struct buf b = BUF_INIT(FRAME_MAX + 65536);
	/* CONFIG was 1, the request is 2. */
	uint16_t seq = strcmp(how, "sequence") == 0 ? 3 : 2;

	memset(long_text, 'a', sizeof(long_text));
	if (strcmp(how, "type") == 0) {
		frame_begin(&b, FRAME_REQUEST, seq);
	} else if (strcmp(how, "peers") == 0) {
		for (int i = 0; i < 2; i++) {
			buf_reset(&b);
			frame_begin(&b, FRAME_PEER, seq);
			frame_put_str(&b, TAG_PEER_PIN, "sha256//x");
			frame_put_str(&b, TAG_PEER_VALIDITY, "");
			put(&b);
		}
	} else if (strcmp(how, "flood") == 0) {
		/* Always something to read, never the reply: neither deadline nor cancellation may be starved by it. */
		for (;;) {
			buf_reset(&b);
			frame_begin(&b, FRAME_PEER, seq);
			frame_put_str(&b, TAG_PEER_PIN, "");
			frame_put_str(&b, TAG_PEER_VALIDITY, "");
			put(&b);
		}
	} else if (strcmp(how, "tag") == 0) {
		frame_begin(&b, FRAME_TOKEN, seq);
		frame_put_str(&b, TAG_NONCE, "x");
	} else if (strcmp(how, "long") == 0) {
		frame_begin(&b, FRAME_TOKEN, seq);
		frame_put(&b, TAG_TOKEN, long_text, sizeof(long_text));
	} else if (strcmp(how, "escape") == 0) {
		frame_begin(&b, FRAME_TOKEN, seq);
		frame_put_str(&b, TAG_TOKEN, "\033[2J");
	} else if (strcmp(how, "cause") == 0) {
		frame_begin(&b, FRAME_FAIL, seq);
		frame_put_u32(&b, TAG_CAUSE, TFAIL_CHILD);
		frame_put_u32(&b, TAG_BYTES_SENT, 0);
		frame_put_str(&b, TAG_WHAT, "x");
	} else if (strcmp(how, "endless") == 0) {
		buf_put_zero(&b, FRAME_MAX + 65536);
	} else if (strcmp(how, "part") == 0) {
		buf_put_zero(&b, FRAME_PART); /* announces another packet, which never comes */
	} else {
		frame_begin(&b, FRAME_TOKEN, seq);
		frame_put_str(&b, TAG_TOKEN, "x");
	}
	put(&b);
	pause();
}

static void reducer(const char *method, const char *path, unsigned int status, const char *body, size_t len,
		    struct transport_reply *ret)
{
	if (strcmp(path, "/crash") == 0) {
		signal(SIGSEGV, SIG_DFL); /* a sanitizer would turn it into an exit */
		raise(SIGSEGV);
	}
	if (strcmp(path, "/exit") == 0)
		_exit(42);
	if (text_starts(path, "/lie/"))
		lie(path + 5);
	if (strcmp(path, "/fields") == 0) {
		/* Fields that the protocol does not carry: an honest reducer's mistake. */
		ret->kind = TREPLY_TOKEN;
		ret->token = strdup("not\nprintable");
	}
}

static struct transport *start(void)
{
	return transport_to(&server, &cert, reducer);
}

/* Dead means: this request failed over it, so does the next, and nobody starts it again. */
static void expect_dead(struct transport *t, const char *path, uint64_t ms, const char *words)
{
	struct transport_reply reply;

	ask(t, path, ms, &reply);
	assert_int_equal(reply.kind, TREPLY_FAIL);
	if (reply.fail != TFAIL_CHILD || !strstr(reply.what, words))
		print_message("%s: %s: %s\n", path, transport_fail_name(reply.fail), reply.what);
	assert_int_equal(reply.fail, TFAIL_CHILD);
	assert_non_null(strstr(reply.what, words));
	assert_int_equal(transport_pid(t), -1);
	transport_reply_clear(&reply);
	ask(t, "/x", 2000, &reply);
	assert_int_equal(reply.fail, TFAIL_CHILD);
	transport_reply_clear(&reply);
	transport_stop(t);
}

static void deaths(void **state)
{
	expect_dead(start(), "/crash", 3000, "died of signal 11");
	expect_dead(start(), "/exit", 3000, "ended with status 42");
}

static void dead_between_requests(void **state)
{
	const char *urls[] = { server.url, NULL }, *pin[] = { cert.pin, NULL };
	struct transport *t = start();

	kill(transport_pid(t), SIGKILL);
	assert_int_equal(transport_configure(t, &(struct transport_config){ .urls = urls, .pins = pin }, NULL), 0);
	expect_dead(t, "/x", 3000, "");
}

static void lies(void **state)
{
	static const char *const how[] = { "sequence", "type", "peers", "tag", "long", "escape", "cause", "endless",
					   "flood" };

	for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
		char path[32];

		snprintf(path, sizeof(path), "/lie/%s", how[i]);
		expect_dead(start(), path, 3000, "packets out of form");
	}
}

static void silence(void **state)
{
	uint64_t before = clock_ns();

	expect_dead(start(), "/lie/part", 3000, "no answer in time"); /* the request itself has to get through first */
	assert_true(clock_ns() - before < 20 * NSEC_PER_SEC);
}

static void mistakes_of_the_reducer(void **state)
{
	struct transport *t = start();
	struct transport_reply reply;

	ask(t, "/fields", 3000, &reply);
	assert_int_equal(reply.kind, TREPLY_ERROR);
	assert_int_equal(reply.status, 401);
	transport_reply_clear(&reply);
	ask(t, "/x", 3000, &reply);
	assert_int_equal(reply.kind, TREPLY_ERROR);
	transport_reply_clear(&reply);
	transport_stop(t);
}

static char *proc_text(pid_t pid, const char *name)
{
	char *path = text_printf("/proc/%d/%s", (int)pid, name), *text = NULL;
	size_t n;

	assert_int_equal(file_read(AT_FDCWD, path, 65536, ERR_INTERNAL, &text, &n, NULL), 0);
	free(path);
	return text;
}

static void expect_line(const char *text, const char *key, const char *value)
{
	const char *p = strstr(text, key);

	assert_non_null(p);
	p += strlen(key);
	p += strspn(p, ":\t ");
	if (strncmp(p, value, strlen(value)) != 0)
		print_message("%s: %.40s instead of %s\n", key, p, value);
	assert_memory_equal(p, value, strlen(value));
}

static void expect_few_fds(pid_t pid)
{
	char *path = text_printf("/proc/%d/fd", (int)pid);
	DIR *d = opendir(path);
	size_t n = 0;

	/* Not dumpable: only root may look. */
	if (geteuid() != 0) {
		assert_null(d);
		assert_int_equal(errno, EACCES);
		free(path);
		return;
	}
	assert_non_null(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		char link[300], target[256] = "";

		if (e->d_name[0] == '.')
			continue;
		snprintf(link, sizeof(link), "%s/%.20s", path, e->d_name);
		assert_true(readlink(link, target, sizeof(target) - 1) > 0);
		assert_true(text_starts(target, strcmp(e->d_name, "3") == 0 ? "socket:" : "/dev/null"));
		n++;
	}
	assert_int_equal(n, 4);
	closedir(d);
	free(path);
}

static void confined(void **state)
{
	int leak = dup2(0, 77); /* without CLOEXEC, as a careless caller would leave it */
	struct transport *t = NULL;
	struct transport_reply reply;
	char *text;

	assert_int_equal(leak, 77);
	assert_int_equal(transport_start(reducer, &t, NULL), 0);
	/* It has made itself ready when it takes the configuration from the pair; no request yet, so no libcurl descriptors. */
	for (int i = 0; i < 200; i++) {
		text = proc_text(transport_pid(t), "comm");
		if (strcmp(text, "cryptattest-net\n") == 0)
			break;
		free(text);
		usleep(10000);
	}
	assert_string_equal(text, "cryptattest-net\n");
	free(text);
	text = proc_text(transport_pid(t), "status");
	expect_line(text, "NoNewPrivs", "1\n");
	expect_line(text, "CapInh", "0000000000000000\n");
	expect_line(text, "CapPrm", "0000000000000000\n");
	expect_line(text, "CapEff", "0000000000000000\n");
	expect_line(text, "CapAmb", "0000000000000000\n");
	if (geteuid() == 0) {
		expect_line(text, "\nUid", "65534\t65534\t65534\t65534\n");
		expect_line(text, "\nGid", "65534\t65534\t65534\t65534\n");
		expect_line(text, "\nGroups", "\n");
	}
	free(text);
	text = proc_text(transport_pid(t), "limits");
	expect_line(text, "Max core file size", "0 ");
	expect_line(text, "Max file size", "0 ");
	free(text);
	expect_few_fds(transport_pid(t));
	close(leak);
	ask(t, "/x", 100, &reply); /* not configured: it ends itself, and the parent says so */
	assert_int_equal(reply.fail, TFAIL_CHILD);
	transport_reply_clear(&reply);
	transport_stop(t);
}

/* The agent is killed: nothing of it may stay. */
static void dies_with_the_parent(void **state)
{
	int pair[2], status;
	pid_t agent, child = 0;

	assert_int_equal(pipe(pair), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	agent = fork();
	if (agent == 0) {
		struct transport *t = NULL;

		if (transport_start(reducer, &t, NULL) < 0)
			_exit(1);
		child = transport_pid(t);
		if (write(pair[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		pause();
	}
	assert_int_equal(read(pair[0], &child, sizeof(child)), sizeof(child));
	kill(agent, SIGKILL);
	assert_int_equal(waitpid(agent, &status, 0), agent);
	alarm(10);
	assert_int_equal(waitpid(child, &status, 0), child);
	alarm(0);
	close(pair[0]);
	close(pair[1]);
}

/* A terminal and a service manager signal everybody; when to end is the parent's decision. */
static void deaf_to_signals(void **state)
{
	struct transport *t = start();
	struct transport_reply reply;

	ask(t, "/x", 3000, &reply);
	assert_int_equal(reply.kind, TREPLY_ERROR);
	transport_reply_clear(&reply);
	kill(transport_pid(t), SIGTERM);
	kill(transport_pid(t), SIGINT);
	kill(transport_pid(t), SIGHUP);
	ask(t, "/x", 3000, &reply);
	assert_int_equal(reply.kind, TREPLY_ERROR);
	transport_reply_clear(&reply);
	transport_stop(t);
}

int main(int argc, char **argv)
{
	static const struct testcert_params params = { 0 };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deaths),
		cmocka_unit_test(dead_between_requests),
		cmocka_unit_test(lies),
		cmocka_unit_test(silence),
		cmocka_unit_test(mistakes_of_the_reducer),
		cmocka_unit_test(confined),
		cmocka_unit_test(dies_with_the_parent),
		cmocka_unit_test(deaf_to_signals),
	};
	const struct fault_conf f = { .cert = &cert, .script = "", .secret = "x" };
	int r;

	ca = testca_new("transport authority");
	testcert_make(ca, &params, &cert);
	fault_start(&f, &server);
	r = cmocka_run_group_tests_name("child", tests, NULL, NULL);
	fault_forget(&server);
	testca_free(ca);
	return r;
}
