/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The agent's own side of an operator push against a listener that is in the host's hands: the packets come from here, in the place of that
 * process. It can lie about TLS, keys and the order of things; it gets no document accepted, and no evidence that serves elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "keysrc/push.h"

#define SCRIPT_MAX 40

static const struct push_instance instance = {
	.boot_id = "11111111-2222-4333-8444-555555555555",
	.volumes = { { "root", "0f3f8a0a-6a5c-4a39-9a80-5b6b1f0f2a51" } },
	.n = 1,
};

static struct lab {
	struct keypair *operator_key, *stranger_key;
	uint8_t operator[PUSH_POINT], stranger[PUSH_POINT], nonce[PUSH_NONCE], exporter[PUSH_EXPORTER];
	char pin[PUSH_PIN_TEXT];
	char *pins[2];
	/* What the listener says next: made when it is asked for. */
	void (*script[SCRIPT_MAX])(struct push_packet *p);
	size_t next;
	uint8_t asked[PUSH_REPORT_DATA]; /* of the evidence */
	struct push_answer last;	 /* what the agent answered */
	enum err_class no_evidence;	 /* 0: there is some */
	unsigned int notes;
	char note[480]; /* the last */
} lab;

int push_next(struct push *p, struct deadline d, struct push_packet *ret, struct err **err)
{
	if (!lab.script[lab.next])
		return err_set(err, ERR_TIMEOUT, "push-window", "the script is over");
	*ret = (struct push_packet){ .conn = 7, .data = BUF_INIT(PUSH_SECRET_MAX) };
	lab.script[lab.next++](ret);
	return 0;
}

int push_answer(struct push *p, uint16_t conn, bool last, const void *data, size_t len, struct err **err)
{
	push_answer_clear(&lab.last);
	assert_int_equal(push_answer_parse(data, len, &lab.last, NULL), 0);
	assert_int_equal(last, lab.last.is_result);
	return 0;
}

static int collect(void *ctx, const uint8_t data[static PUSH_REPORT_DATA], struct deadline d, char **ret_json, struct err **err)
{
	if (lab.no_evidence)
		return err_set(err, lab.no_evidence, "tee-test", "none");
	memcpy(lab.asked, data, PUSH_REPORT_DATA);
	*ret_json = strdup("{\"attestation_report\":{}}");
	return 0;
}

static void note(void *ctx, const char *text)
{
	lab.notes++;
	snprintf(lab.note, sizeof(lab.note), "%s", text);
}

static void new_key(struct keypair **kp, uint8_t point[static PUSH_POINT])
{
	struct public_key pub;

	assert_int_equal(keypair_generate(KEY_EC_P256, kp, NULL), 0);
	keypair_public(*kp, &pub);
	assert_int_equal(push_point(&pub, point, NULL), 0);
}

static int setup(void **state)
{
	const struct push_params params = { .pins = lab.pins, .tee = "snp", .collect = collect, .note = note, .deadline = deadline_in_ms(100000) };
	struct push_source *s = NULL;

	memset(&lab, 0, sizeof(lab));
	new_key(&lab.operator_key, lab.operator);
	new_key(&lab.stranger_key, lab.stranger);
	memset(lab.exporter, 9, sizeof(lab.exporter));
	assert_int_equal(push_pin(lab.operator, lab.pin, NULL), 0);
	lab.pins[0] = lab.pin;
	assert_int_equal(keysrc_push_new(&params, &s, NULL), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	keysrc_push_free(*state);
	keypair_free(lab.operator_key);
	keypair_free(lab.stranger_key);
	push_answer_clear(&lab.last);
	return 0;
}

/* --- what the listener may say --- */

static void hello(struct push_packet *p)
{
	p->type = PACKET_HELLO;
	memcpy(p->nonce, lab.nonce, sizeof(p->nonce));
	memcpy(p->exporter, lab.exporter, sizeof(p->exporter));
	memcpy(p->operator, lab.operator, sizeof(p->operator));
}

static void hello_of_a_stranger(struct push_packet *p)
{
	hello(p);
	memcpy(p->operator, lab.stranger, sizeof(p->operator));
}

/* TLS ends in the listener's friend: the agent is told of his connection, the operator has another. */
static void hello_with_a_lie(struct push_packet *p)
{
	hello(p);
	p->exporter[0] ^= 1;
}

/* As an honest operator makes it: of his own nonce and exporter and what the machine answered. */
static void operators_view(uint8_t report_data[static PUSH_REPORT_DATA])
{
	struct push_binding b;

	memcpy(b.nonce, lab.nonce, sizeof(b.nonce));
	memcpy(b.exporter, lab.exporter, sizeof(b.exporter));
	memcpy(b.machine, lab.last.machine, sizeof(b.machine));
	memcpy(b.operator, lab.operator, sizeof(b.operator));
	assert_int_equal(push_report_data(&b, &lab.last.instance, report_data, NULL), 0);
}

static void put_document(struct push_packet *p, const struct keypair *key)
{
	_cleanup_secret_ struct secret *doc = NULL;
	uint8_t report_data[PUSH_REPORT_DATA];

	p->type = PACKET_SECRET;
	operators_view(report_data);
	assert_int_equal(secret_from("the document", 12, &doc, NULL), 0);
	assert_int_equal(push_secret_make(key, lab.last.machine, report_data, doc, &p->data, NULL), 0);
}

static void document(struct push_packet *p)
{
	put_document(p, lab.operator_key);
}

static void document_of_a_stranger(struct push_packet *p)
{
	put_document(p, lab.stranger_key);
}

static void document_of_another_connection(struct push_packet *p)
{
	document(p);
	p->conn++;
}

static void garbage(struct push_packet *p)
{
	p->type = PACKET_SECRET;
	buf_puts(&p->data, "CAPUSHS1 and then nothing");
}

static void ended(struct push_packet *p)
{
	p->type = PACKET_ENDED;
	strcpy(p->id, "push-slow");
}

/* --- what comes of it --- */

static void expect_end(struct push_source *s, enum err_class cls, const char *id)
{
	_cleanup_err_ struct err *e = NULL;
	struct secret *doc = NULL;

	assert_int_equal(keysrc_push_wait(s, &instance, &doc, &e), -1);
	assert_int_equal(err_class(e), cls);
	assert_string_equal(err_id(e), id);
	assert_null(doc);
}

static void expect_refused(const char *id)
{
	assert_true(lab.last.is_result);
	assert_false(lab.last.ok);
	assert_string_equal(lab.last.id, id);
}

/* What comes in the place of the document, after this; and why it is refused. */
static void expect_no_document(struct push_source *s, void (*before)(struct push_packet *), void (*instead)(struct push_packet *), const char *id)
{
	lab.script[0] = before ? before : instead;
	lab.script[1] = before ? instead : NULL;
	expect_end(s, ERR_TIMEOUT, "push-window");
	expect_refused(id);
}

static void test_honest(void **state)
{
	_cleanup_secret_ struct secret *doc = NULL;
	uint8_t report_data[PUSH_REPORT_DATA];

	lab.script[0] = hello;
	lab.script[1] = document;
	assert_int_equal(keysrc_push_wait(*state, &instance, &doc, NULL), 0);
	assert_int_equal(secret_len(doc), 12);
	assert_memory_equal(secret_cdata(doc), "the document", 12);
	operators_view(report_data);
	assert_memory_equal(lab.asked, report_data, sizeof(report_data));
	keysrc_push_result(*state, NULL);
	assert_true(lab.last.is_result && lab.last.ok);
	assert_non_null(strstr(keysrc_push_who(*state), lab.pin));
}

static void test_stranger(void **state)
{
	lab.script[0] = hello_of_a_stranger;
	lab.script[1] = ended;
	expect_end(*state, ERR_TIMEOUT, "push-window");
	expect_refused("push-operator");
	assert_int_equal(lab.notes, 2);
}

static void test_lie_about_the_connection(void **state)
{
	uint8_t report_data[PUSH_REPORT_DATA];

	expect_no_document(*state, hello_with_a_lie, document, "push-signature");
	/* And the evidence is not what the operator waits for. */
	operators_view(report_data);
	assert_memory_not_equal(lab.asked, report_data, sizeof(report_data));
}

static void test_forged(void **state)
{
	expect_no_document(*state, hello, document_of_a_stranger, "push-signature");
}

static void test_garbage(void **state)
{
	expect_no_document(*state, hello, garbage, "push-secret");
}

static void test_out_of_order(void **state)
{
	expect_no_document(*state, NULL, garbage, "push-secret");
}

static void test_other_connection(void **state)
{
	expect_no_document(*state, hello, document_of_another_connection, "push-secret");
}

/* One showing, one document: what was refused gets no second try under the same evidence. */
static void test_one_try(void **state)
{
	lab.script[0] = hello;
	lab.script[1] = garbage;
	lab.script[2] = garbage;
	expect_end(*state, ERR_TIMEOUT, "push-window");
	expect_refused("push-secret");
	assert_string_equal(lab.last.message, "a document without evidence before it");
}

/* Every showing has a key of its own, and is a second apart from the one before. */
static void test_two_showings(void **state)
{
	uint8_t first[PUSH_REPORT_DATA];
	uint64_t begun = clock_ns();

	lab.script[0] = hello;
	expect_end(*state, ERR_TIMEOUT, "push-window");
	memcpy(first, lab.asked, sizeof(first));
	lab.script[1] = hello;
	expect_end(*state, ERR_TIMEOUT, "push-window");
	assert_memory_not_equal(lab.asked, first, sizeof(first));
	assert_true(clock_ns() - begun >= 900 * NSEC_PER_MSEC);
}

/* A key holder who asks again and again: 32 times, in numbers so that the limit does not move unseen. It ends the wait, and says so. */
static void test_showings(void **state)
{
	for (size_t i = 0; i < 32; i++)
		lab.script[i] = hello;
	expect_end(*state, ERR_TIMEOUT, "push-window");
	assert_false(lab.last.is_result); /* the last was evidence */
	lab.script[32] = lab.script[33] = hello;
	expect_end(*state, ERR_INDETERMINATE, "push-proofs");
	expect_refused("push-proofs");
	assert_int_equal(lab.next, 33); /* nothing is asked after that */
}

/* A document in between does not start the count anew. */
static void test_showings_and_documents(void **state)
{
	_cleanup_secret_ struct secret *doc = NULL;

	for (size_t i = 0; i < 31; i++)
		lab.script[i] = hello;
	lab.script[31] = hello;
	lab.script[32] = document;
	lab.script[33] = hello;
	assert_int_equal(keysrc_push_wait(*state, &instance, &doc, NULL), 0);
	keysrc_push_result(*state, NULL);
	expect_end(*state, ERR_INDETERMINATE, "push-proofs");
}

/* Lines on the console that strangers can cause: 20, one that says that there are more, and no other. */
static void test_notes(void **state)
{
	for (size_t i = 0; i < 20; i++)
		lab.script[i] = ended;
	expect_end(*state, ERR_TIMEOUT, "push-window");
	assert_int_equal(lab.notes, 20);
	assert_null(strstr(lab.note, "not reported"));
	lab.script[20] = ended;
	expect_end(*state, ERR_TIMEOUT, "push-window");
	assert_int_equal(lab.notes, 21);
	assert_non_null(strstr(lab.note, "not reported"));
	for (size_t i = 21; i < 30; i++)
		lab.script[i] = ended;
	expect_end(*state, ERR_TIMEOUT, "push-window");
	assert_int_equal(lab.notes, 21);
}

static void test_no_evidence(void **state)
{
	lab.script[0] = hello;
	lab.no_evidence = ERR_NOEVIDENCE;
	expect_end(*state, ERR_NOEVIDENCE, "tee-test");
	expect_refused("tee-test");
}

static void test_evidence_later(void **state)
{
	lab.script[0] = hello;
	lab.no_evidence = ERR_BUSY;
	expect_end(*state, ERR_TIMEOUT, "push-window");
	expect_refused("tee-test");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_honest),	    T(test_stranger),	    T(test_lie_about_the_connection), T(test_forged),	   T(test_garbage),
		T(test_out_of_order), T(test_other_connection), T(test_one_try),		      T(test_two_showings), T(test_no_evidence),
		T(test_showings),     T(test_showings_and_documents), T(test_notes),
		T(test_evidence_later),
	};

	return cmocka_run_group_tests_name("push_source", tests, NULL, NULL);
}
