/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "keysrc/push.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

#define PROOF_PAUSE_MS 1000
#define NOTES_MAX 20 /* lines on the console that a stranger can cause */

/* What was shown to the present connection. */
struct shown {
	bool valid;
	uint16_t conn;
	struct keypair *key;
	uint8_t report_data[PUSH_REPORT_DATA], operator[PUSH_POINT];
};

struct push_source {
	struct push_params p;
	struct shown shown;
	unsigned int proofs, notes;
	struct deadline pause; /* no further evidence before this */
	char who[PUSH_PIN_TEXT + 72];
};

int keysrc_push_new(const struct push_params *params, struct push_source **ret, struct err **err)
{
	struct push_source *s = calloc(1, sizeof(*s));

	if (!s)
		return err_nomem(err);
	s->p = *params;
	*ret = s;
	return 0;
}

static void forget_shown(struct push_source *s)
{
	keypair_free(s->shown.key);
	s->shown = (struct shown){ 0 };
}

void keysrc_push_free(struct push_source *s)
{
	if (!s)
		return;
	forget_shown(s);
	free(s);
}

static void note(struct push_source *s, const char *from, const char *id, const char *what)
{
	char text[480];

	if (s->notes > NOTES_MAX)
		return;
	if (s->notes++ == NOTES_MAX)
		snprintf(text, sizeof(text), "more connections that led to nothing are not reported");
	else
		snprintf(text, sizeof(text), "%s: %s [%s]", from, what, id);
	s->p.note(s->p.ctx, text);
}

static int answer_result(struct push_source *s, uint16_t conn, const struct err *why, struct err **err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(4096);

	if (push_result_make(!why, why ? err_id(why) : "", why ? err_message(why) : "the volume is open", &text, err) < 0)
		return -1;
	return push_answer(s->p.listener, conn, true, text.data, text.len, err);
}

/* The pins are looked at again: that the listener did so is its word. */
static int check_operator(struct push_source *s, const struct push_packet *hello, struct err **err)
{
	char pin[PUSH_PIN_TEXT];

	if (push_pin(hello->operator, pin, err) < 0)
		return -1;
	for (char *const *p = s->p.pins; *p; p++) {
		if (strcmp(*p, pin) == 0) {
			snprintf(s->who, sizeof(s->who), "%s at %s", pin, hello->from);
			return 0;
		}
	}
	return err_set(err, ERR_IDENTITY, "push-operator", "the key %s is not one that [push] operator names", pin);
}

/* Evidence costs the TEE; it is the same for everybody who asks too often. */
static int check_rate(struct push_source *s, struct err **err)
{
	if (s->proofs == PUSH_PROOFS)
		return err_set(err, ERR_INDETERMINATE, "push-proofs", "evidence was shown %d times and no document came", PUSH_PROOFS);
	s->proofs++;
	if (s->pause.at_ns && !clock_sleep_ms(deadline_left_ms(s->pause), s->p.deadline))
		return err_set(err, ERR_TIMEOUT, clock_cancelled() ? "cancelled" : "push-window", "no operator came in time");
	s->pause = deadline_in_ms(PROOF_PAUSE_MS);
	return 0;
}

static int make_evidence(struct push_source *s, const struct push_packet *hello, const struct push_instance *i, struct buf *out,
			 struct err **err)
{
	struct push_binding b;
	_cleanup_free_ char *json = NULL;
	struct public_key pub;

	if (keypair_generate(KEY_EC_P256, &s->shown.key, err) < 0)
		return -1;
	keypair_public(s->shown.key, &pub);
	if (push_point(&pub, b.machine, err) < 0)
		return -1;
	memcpy(b.nonce, hello->nonce, sizeof(b.nonce));
	memcpy(b.exporter, hello->exporter, sizeof(b.exporter));
	memcpy(b.operator, hello->operator, sizeof(b.operator));
	memcpy(s->shown.operator, hello->operator, sizeof(b.operator));
	if (push_report_data(&b, i, s->shown.report_data, err) < 0 ||
	    s->p.collect(s->p.ctx, s->shown.report_data, deadline_earlier(s->p.deadline, deadline_in_ms(PUSH_WORK_MS / 2)), &json, err) < 0)
		return -1;
	return push_evidence_make(i, b.machine, s->p.tee, json, s->p.init_data, out, err);
}

/* The operator learns why there is no evidence; those that are no fault of this one connection end the wait. */
static int fail_hello(struct push_source *s, const struct push_packet *hello, struct err *why, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;
	bool final = err_class(why) == ERR_NOEVIDENCE || err_class(why) == ERR_INTEGRITY || err_class(why) == ERR_NOMEM ||
		     err_class(why) == ERR_TIMEOUT || text_eq(err_id(why), "push-proofs");

	forget_shown(s);
	if (answer_result(s, hello->conn, why, &e) < 0)
		log_debug("push: %s", err_message(e));
	if (final)
		return err_propagate(err, why);
	note(s, hello->from, err_id(why), err_message(why));
	err_free(why);
	return 0;
}

static int on_hello(struct push_source *s, const struct push_packet *hello, const struct push_instance *i, struct err **err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(PUSH_ANSWER_MAX);
	struct err *why = NULL;

	forget_shown(s);
	if (check_operator(s, hello, &why) < 0 || check_rate(s, &why) < 0 || make_evidence(s, hello, i, &text, &why) < 0)
		return fail_hello(s, hello, why, err);
	s->shown.conn = hello->conn;
	s->shown.valid = true;
	return push_answer(s->p.listener, hello->conn, false, text.data, text.len, err);
}

/* 1: *ret is a document. A message that is not the operator's ends the connection and nothing else. */
static int on_secret(struct push_source *s, const struct push_packet *secret, struct secret **ret, struct err **err)
{
	__attribute__((cleanup(push_secret_clear))) struct push_secret msg = { 0 };
	_cleanup_err_ struct err *why = NULL;

	if (!s->shown.valid || s->shown.conn != secret->conn) {
		err_set(&why, ERR_INTEGRITY, "push-secret", "a document without evidence before it");
		return answer_result(s, secret->conn, why, err);
	}
	s->shown.valid = false; /* one document for one showing */
	if (push_secret_parse(secret->data.data, secret->data.len, &msg, &why) == 0 &&
	    push_secret_open(&msg, s->shown.operator, s->shown.report_data, s->shown.key, ret, &why) == 0)
		return 1;
	note(s, s->who, err_id(why), err_message(why));
	return answer_result(s, secret->conn, why, err);
}

int keysrc_push_wait(struct push_source *s, const struct push_instance *i, struct secret **ret, struct err **err)
{
	for (;;) {
		struct push_packet packet;
		int rc;

		/* A listener that is not ours any more may have packets without end. */
		if (deadline_passed(s->p.deadline))
			return err_set(err, ERR_TIMEOUT, "push-window", "no operator came in time");
		rc = push_next(s->p.listener, s->p.deadline, &packet, err);

		if (rc < 0)
			return -1;
		switch (packet.type) {
		case PACKET_HELLO:
			rc = on_hello(s, &packet, i, err);
			break;
		case PACKET_SECRET:
			rc = on_secret(s, &packet, ret, err);
			break;
		case PACKET_ENDED:
			note(s, packet.from, packet.id, packet.text);
			break;
		default:
			break;
		}
		push_packet_clear(&packet);
		if (rc)
			return rc < 0 ? -1 : 0;
	}
}

void keysrc_push_result(struct push_source *s, const struct err *why)
{
	_cleanup_err_ struct err *e = NULL;

	if (answer_result(s, s->shown.conn, why, &e) < 0)
		log_debug("push: the operator was not told: %s", err_message(e));
	forget_shown(s);
}

const char *keysrc_push_who(const struct push_source *s)
{
	return s->who;
}
