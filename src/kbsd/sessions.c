/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/secret.h"
#include "crypto/digest.h"

struct sessions {
	struct peers *peers;
	struct sessions_limits limits;
	struct secret *key; /* of the ids */
	struct session_list age; /* oldest first: every session lives equally long, so this is the order of expiry too */
	struct session **bucket;
	size_t buckets, count;
	size_t kept; /* by all sessions */
};

/* For each session that the table may hold; a token, a quote and init-data of usual size have less. */
#define KEPT_OF_EACH ((size_t)32 * 1024)

int sessions_new(struct peers *peers, const struct sessions_limits *limits, struct sessions **ret, struct err **err)
{
	struct sessions *t = calloc(1, sizeof(*t));
	uint8_t key[32];

	if (!t)
		return err_nomem(err);
	t->peers = peers;
	t->limits = *limits;
	TAILQ_INIT(&t->age);
	for (t->buckets = 64; t->buckets < limits->total; t->buckets *= 2)
		;
	t->bucket = calloc(t->buckets, sizeof(*t->bucket));
	if (!t->bucket) {
		err_nomem(err);
		goto fail;
	}
	if (random_bytes(key, sizeof(key), err) < 0 || secret_from(key, sizeof(key), &t->key, err) < 0)
		goto fail;
	wipe(key, sizeof(key));
	*ret = t;
	return 0;
fail:
	wipe(key, sizeof(key));
	sessions_free(t);
	return -1;
}

void attested_free(struct attested *a)
{
	if (!a)
		return;
	evidence_clear(&a->evidence);
	if (a->has_init_data)
		init_data_clear(&a->init_data);
	if (a->token)
		wipe(a->token, strlen(a->token));
	free(a->token);
	free(a);
}

/* Ids come out of an HMAC: their first digits are as good as any hash, and nobody else can choose them. */
static struct session **bucket_of(struct sessions *t, const char *id)
{
	size_t h = 0;

	for (int i = 0; i < 8; i++)
		h = h << 4 | (size_t)(id[i] <= '9' ? id[i] - '0' : id[i] - 'a' + 10);
	return &t->bucket[h & (t->buckets - 1)];
}

/* Counted and listed at its peer only as long as nothing is attested. */
static void leave_pending(struct session *s)
{
	if (s->attested)
		return;
	TAILQ_REMOVE(&s->peer->pending, s, by_peer);
	s->peer->sessions--;
}

void sessions_drop(struct sessions *t, struct session *s)
{
	for (struct session **e = bucket_of(t, s->id); *e; e = &(*e)->next) {
		if (*e == s) {
			*e = s->next;
			break;
		}
	}
	TAILQ_REMOVE(&t->age, s, by_age);
	t->count--;
	t->kept -= s->kept;
	leave_pending(s);
	attested_free(s->attested);
	peers_put(t->peers, s->peer);
	wipe(s, sizeof(*s));
	free(s);
}

void sessions_free(struct sessions *t)
{
	struct session *s;

	if (!t)
		return;
	while ((s = TAILQ_FIRST(&t->age)))
		sessions_drop(t, s);
	free(t->bucket);
	secret_free(t->key);
	free(t);
}

void sessions_expire(struct sessions *t, struct moment now)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&t->age)) && s->expires_ns <= now.mono_ns)
		sessions_drop(t, s);
}

static void make_room(struct sessions *t, struct peer *peer)
{
	struct session *s;

	if (peer->sessions >= t->limits.per_peer)
		sessions_drop(t, TAILQ_FIRST(&peer->pending));
	if (t->count < t->limits.total)
		return;
	TAILQ_FOREACH(s, &t->age, by_age) {
		if (!s->attested) {
			sessions_drop(t, s);
			return;
		}
	}
	sessions_drop(t, TAILQ_FIRST(&t->age));
}

static int make_id(const struct sessions *t, const char *nonce, char id[SESSION_ID_LEN + 1], struct err **err)
{
	uint8_t mac[32];

	if (hmac_sha256(t->key, nonce, strlen(nonce), mac, err) < 0)
		return -1;
	hex_encode(mac, SESSION_ID_LEN / 2, id);
	wipe(mac, sizeof(mac));
	return 0;
}

int sessions_create(struct sessions *t, struct peer *peer, enum tee_kind tee, enum kbs_protocol protocol,
		    struct moment now, struct session **ret, struct err **err)
{
	uint8_t random[32];
	struct session *s;

	sessions_expire(t, now);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_nomem(err);
	if (random_bytes(random, sizeof(random), err) < 0)
		goto fail;
	b64_encode(B64_STD, random, sizeof(random), s->nonce);
	if (make_id(t, s->nonce, s->id, err) < 0)
		goto fail;
	make_room(t, peer);
	s->tee = tee;
	s->protocol = protocol;
	s->expires_ns = now.mono_ns + t->limits.ttl_ms * NSEC_PER_MSEC;
	s->expires_wall = now.wall + (int64_t)(t->limits.ttl_ms / 1000);
	s->peer = peer_ref(peer);
	TAILQ_INSERT_TAIL(&peer->pending, s, by_peer);
	peer->sessions++;
	TAILQ_INSERT_TAIL(&t->age, s, by_age);
	struct session **head = bucket_of(t, s->id);
	s->next = *head;
	*head = s;
	t->count++;
	*ret = s;
	return 0;
fail:
	free(s);
	return -1;
}

struct session *sessions_find(struct sessions *t, const char *id, size_t len, struct moment now)
{
	if (len != SESSION_ID_LEN || strspn(id, "0123456789abcdef") < SESSION_ID_LEN)
		return NULL;
	for (struct session *s = *bucket_of(t, id); s; s = s->next)
		if (ct_memcmp(s->id, id, SESSION_ID_LEN) == 0)
			return s->expires_ns > now.mono_ns ? s : NULL;
	return NULL;
}

struct session *sessions_find_by_nonce(struct sessions *t, const char *nonce, struct moment now)
{
	char id[SESSION_ID_LEN + 1];

	if (make_id(t, nonce, id, NULL) < 0)
		return NULL;
	struct session *s = sessions_find(t, id, SESSION_ID_LEN, now);
	return s && strcmp(s->nonce, nonce) == 0 ? s : NULL;
}

static size_t bytes_of(const struct attested *a)
{
	size_t n = a->evidence.report_len + a->evidence.aux_len + (a->token ? strlen(a->token) : 0);

	for (size_t i = 0; a->has_init_data && a->init_data.keys && a->init_data.keys[i]; i++)
		n += strlen(a->init_data.keys[i]) + strlen(a->init_data.values[i]);
	return n;
}

static void bound_kept(struct sessions *t, const struct session *newest)
{
	struct session *s = TAILQ_FIRST(&t->age), *next;

	for (; s && t->kept > KEPT_OF_EACH * t->limits.total; s = next) {
		next = TAILQ_NEXT(s, by_age);
		if (s->attested && s != newest)
			sessions_drop(t, s);
	}
}

int session_attest(struct sessions *t, struct session *s, struct attested *a, struct err **err)
{
	if (s->attested) {
		attested_free(a);
		return err_set(err, ERR_REFUSED, "session-attested", "this session has certified a key already");
	}
	leave_pending(s);
	s->attested = a;
	s->kept = bytes_of(a);
	t->kept += s->kept;
	bound_kept(t, s);
	return 0;
}

size_t sessions_count(const struct sessions *t)
{
	return t->count;
}
