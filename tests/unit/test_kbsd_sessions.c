/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The session table: expiry, both bounds, ids that tell nothing, no session left behind. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "kbsd/cookie.h"
#include "kbsd/sessions.h"

#define TTL_MS 60000

struct fixture {
	struct peers *peers;
	struct sessions *table;
	struct peer *a, *b;
};

static struct peer *peer_at(struct peers *p, const char *address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return peers_get(p, (const struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	return peers_get(p, (const struct sockaddr *)&v6);
}

static int setup(void **state)
{
	static struct fixture f;
	const struct sessions_limits limits = { .total = 8, .per_peer = 3, .ttl_ms = TTL_MS };

	assert_int_equal(peers_new(&f.peers, NULL), 0);
	assert_int_equal(sessions_new(f.peers, &limits, &f.table, NULL), 0);
	f.a = peer_at(f.peers, "192.0.2.1");
	f.b = peer_at(f.peers, "192.0.2.2");
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sessions_free(f->table);
	peers_put(f->peers, f->a);
	peers_put(f->peers, f->b);
	assert_int_equal(peers_count(f->peers), 0);
	peers_free(f->peers);
	return 0;
}

static struct moment at_ms(uint64_t ms)
{
	return (struct moment){ .mono_ns = NSEC_PER_SEC + ms * NSEC_PER_MSEC, .wall = 1000 + (int64_t)(ms / 1000) };
}

static struct session *create(struct fixture *f, struct peer *p, uint64_t ms)
{
	struct session *s = NULL;

	assert_int_equal(sessions_create(f->table, p, TEE_SNP, KBS_0_4_0, at_ms(ms), &s, NULL), 0);
	return s;
}

static bool alive(struct fixture *f, const char *id, uint64_t ms)
{
	return sessions_find(f->table, id, strlen(id), at_ms(ms)) != NULL;
}

static void test_find_and_expire(void **state)
{
	struct fixture *f = *state;
	struct session *s = create(f, f->a, 0);
	char id[SESSION_ID_LEN + 1], nonce[SESSION_NONCE_LEN + 1];

	strcpy(id, s->id);
	strcpy(nonce, s->nonce);
	assert_int_equal(strlen(id), SESSION_ID_LEN);
	assert_int_equal(strspn(id, "0123456789abcdef"), SESSION_ID_LEN);
	assert_int_equal(strlen(nonce), SESSION_NONCE_LEN);
	assert_int_equal(s->expires_wall, 1000 + TTL_MS / 1000);
	assert_true(alive(f, id, TTL_MS - 1));
	assert_false(alive(f, id, TTL_MS));
	assert_ptr_equal(sessions_find_by_nonce(f->table, nonce, at_ms(1)), s);
	assert_null(sessions_find_by_nonce(f->table, nonce, at_ms(TTL_MS)));
	assert_null(sessions_find_by_nonce(f->table, "AAAA", at_ms(1)));
	sessions_expire(f->table, at_ms(TTL_MS - 1));
	assert_int_equal(sessions_count(f->table), 1);
	sessions_expire(f->table, at_ms(TTL_MS));
	assert_int_equal(sessions_count(f->table), 0);
	assert_int_equal(f->a->sessions, 0);
}

static void test_wrong_ids(void **state)
{
	struct fixture *f = *state;
	struct session *s = create(f, f->a, 0);
	char id[SESSION_ID_LEN + 2];

	for (size_t i = 0; i < SESSION_ID_LEN; i++) {
		strcpy(id, s->id);
		id[i] = id[i] == '0' ? '1' : '0';
		assert_false(alive(f, id, 1));
		id[i] = 'G';
		assert_false(alive(f, id, 1));
		id[i] = '\0';
		assert_false(alive(f, id, 1));
	}
	snprintf(id, sizeof(id), "%s0", s->id);
	assert_false(alive(f, id, 1));
	assert_true(alive(f, s->id, 1));
}

static void test_address_limit_hits_only_itself(void **state)
{
	struct fixture *f = *state;
	char other[SESSION_ID_LEN + 1], first[SESSION_ID_LEN + 1], last[SESSION_ID_LEN + 1] = "";

	strcpy(other, create(f, f->b, 0)->id);
	strcpy(first, create(f, f->a, 1)->id);
	for (uint64_t i = 2; i < 1000; i++)
		strcpy(last, create(f, f->a, i)->id);
	assert_int_equal(sessions_count(f->table), 4); /* 3 of a, 1 of b */
	assert_int_equal(f->a->sessions, 3);
	assert_false(alive(f, first, 1000));
	assert_true(alive(f, last, 1000));
	assert_true(alive(f, other, 1000));
}

static void test_attested_are_not_pushed_out(void **state)
{
	struct fixture *f = *state;
	struct session *s = create(f, f->a, 0);
	char id[SESSION_ID_LEN + 1];
	struct peer *many[64];

	strcpy(id, s->id);
	assert_int_equal(session_attest(f->table, s, calloc(1, sizeof(struct attested)), NULL), 0);
	assert_int_equal(f->a->sessions, 0);
	for (unsigned int i = 0; i < 64; i++) {
		char address[32];

		snprintf(address, sizeof(address), "198.51.100.%u", i);
		many[i] = peer_at(f->peers, address);
		create(f, many[i], i);
		assert_true(sessions_count(f->table) <= 8);
	}
	assert_true(alive(f, id, 64));
	for (unsigned int i = 0; i < 64; i++)
		peers_put(f->peers, many[i]);
}

static void test_full_of_attested(void **state)
{
	struct fixture *f = *state;
	char first[SESSION_ID_LEN + 1] = "";

	for (uint64_t i = 0; i < 20; i++) {
		struct session *s = create(f, f->a, i);

		if (i == 0)
			strcpy(first, s->id);
		assert_int_equal(session_attest(f->table, s, calloc(1, sizeof(struct attested)), NULL), 0);
	}
	assert_int_equal(sessions_count(f->table), 8);
	assert_false(alive(f, first, 20));
}

/* 8 sessions may keep 256 KiB: what clients chose to send is not multiplied by their number. */
static void test_bytes_of_attested(void **state)
{
	struct fixture *f = *state;
	char id[4][SESSION_ID_LEN + 1];

	for (uint64_t i = 0; i < 4; i++) {
		struct session *s = create(f, f->a, i);
		struct attested *a = calloc(1, sizeof(*a));

		strcpy(id[i], s->id);
		a->token = malloc(100001);
		memset(a->token, 'x', 100000);
		a->token[100000] = 0;
		create(f, f->b, i);
		assert_int_equal(session_attest(f->table, s, a, NULL), 0);
	}
	assert_false(alive(f, id[0], 5));
	assert_false(alive(f, id[1], 5));
	assert_true(alive(f, id[2], 5));
	assert_true(alive(f, id[3], 5));
	assert_int_equal(f->b->sessions, 3); /* who keeps nothing does not give way */
	/* One that is too large by itself is alone, but there. */
	struct session *s = create(f, f->a, 6);
	struct attested *a = calloc(1, sizeof(*a));

	a->evidence.report = calloc(1, 400000);
	a->evidence.report_len = 400000;
	assert_int_equal(session_attest(f->table, s, a, NULL), 0);
	assert_false(alive(f, id[3], 7));
	assert_true(alive(f, s->id, 7));
}

static void test_one_key_per_session(void **state)
{
	struct fixture *f = *state;
	struct session *s = create(f, f->a, 0);
	struct attested *a = calloc(1, sizeof(*a));
	struct err *e = NULL;

	assert_int_equal(session_attest(f->table, s, a, NULL), 0);
	assert_true(session_attest(f->table, s, calloc(1, sizeof(*a)), &e) < 0);
	assert_int_equal(err_class(e), ERR_REFUSED);
	err_free(e);
	assert_ptr_equal(s->attested, a);
}

static void test_peers(void **state)
{
	struct fixture *f = *state;
	struct peer *mapped = peer_at(f->peers, "::ffff:192.0.2.1"), *x = peer_at(f->peers, "2001:db8:1:2::1"),
		    *y = peer_at(f->peers, "2001:db8:1:2:ffff::9"), *z = peer_at(f->peers, "2001:db8:1:3::1");
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	char text[PEER_TEXT];

	assert_ptr_equal(mapped, f->a);
	assert_ptr_equal(x, y);
	assert_ptr_not_equal(x, z);
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr);
	peer_text((const struct sockaddr *)&v6, text);
	assert_string_equal(text, "192.0.2.1");
	peers_put(f->peers, mapped);
	peers_put(f->peers, x);
	peers_put(f->peers, y);
	peers_put(f->peers, z);
}

static void test_cookie(void **state)
{
	static const struct {
		const char *header, *value; /* NULL: none */
	} cases[] = {
		{ NULL, NULL },
		{ "", NULL },
		{ "kbs-session-id=abc", "abc" },
		{ "a=b; kbs-session-id=abc", "abc" },
		{ "kbs-session-id=abc;x=y", "abc" },
		{ " kbs-session-id=abc \t; x=y", "abc" },
		{ "kbs-session-id=abc; kbs-session-id=abc", "abc" },
		{ "kbs-session-id=abc; kbs-session-id=abd", NULL },
		{ "kbs-session-id=abc; kbs-session-id=abcd", NULL },
		{ "kbs-session-id=", NULL },
		{ "kbs-session-id", NULL },
		{ "xkbs-session-id=abc", NULL },
		{ "kbs-session-idx=abc", NULL },
		{ "session_id=abc", NULL },
		{ ";;;;", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = 0;
		const char *v = cookie_session_id(cases[i].header, &len);

		if (!cases[i].value && (!v || len == 0))
			continue;
		if (!v || !cases[i].value || strlen(cases[i].value) != len || memcmp(v, cases[i].value, len) != 0)
			fail_msg("cookie \"%s\"", cases[i].header);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_find_and_expire), T(test_wrong_ids), T(test_address_limit_hits_only_itself),
		T(test_attested_are_not_pushed_out), T(test_full_of_attested), T(test_bytes_of_attested),
		T(test_one_key_per_session),
		T(test_peers), T(test_cookie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
