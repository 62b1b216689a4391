/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Operator push, the first byte chooses: S what the machine reads of an operator, A what the operator reads of a machine, < and > the packets
 * between the agent and its listener. What was taken is written again and read as the same. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "push/packet.h"
#include "wire/json.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void secret(const uint8_t *data, size_t size)
{
	struct err *e = NULL;
	struct push_secret s;

	if (push_secret_parse(data, size, &s, &e) == 0) {
		must(strlen(s.jwe.protected_text) && strlen(s.jwe.ciphertext) < PUSH_SECRET_MAX);
		push_secret_clear(&s);
	} else {
		must(err_class(e) == ERR_INTEGRITY);
	}
	err_free(e);
}

/* Form and content of an answer survive being made anew. */
static void answer(const char *text, size_t size)
{
	struct push_answer a, again;
	struct buf b = BUF_INIT(2 * PUSH_ANSWER_MAX);
	struct err *e = NULL;

	if (push_answer_parse(text, size, &a, &e) < 0) {
		must(err_class(e) == ERR_INTEGRITY);
		err_free(e);
		return;
	}
	if (a.is_result)
		must(push_result_make(a.ok, a.id, a.message, &b, NULL) == 0);
	else
		must(push_evidence_make(&a.instance, a.machine, a.tee, "{}", a.init_data, &b, NULL) == 0);
	if (b.len <= PUSH_ANSWER_MAX) {
		must(push_answer_parse((const char *)b.data, b.len, &again, NULL) == 0);
		must(again.is_result == a.is_result && again.ok == a.ok && strcmp(again.message, a.message) == 0);
		must(again.instance.n == a.instance.n && memcmp(again.machine, a.machine, sizeof(a.machine)) == 0);
		push_answer_clear(&again);
	}
	push_answer_clear(&a);
	buf_free(&b);
}

static void packet(const uint8_t *data, size_t size, bool from_listener)
{
	struct buf b = BUF_INIT(PUSH_PACKET_MAX);
	struct push_packet p;
	struct err *e = NULL;

	if (push_packet_get(data, size, from_listener, &p, &e) < 0) {
		must(err_class(e) == ERR_INTEGRITY);
		err_free(e);
		return;
	}
	push_packet_put(&p, &b);
	/* `last` is any byte but 0; a byte behind the end is there or not. */
	must(buf_ok(&b) && (b.len == size || b.len + 1 == size));
	push_packet_clear(&p);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t nonce[PUSH_NONCE];

	if (!size)
		return 0;
	switch (data[0]) {
	case 'S':
		push_hello_get(data + 1, size - 1, nonce, NULL);
		secret(data + 1, size - 1);
		break;
	case 'A':
		answer((const char *)data + 1, size - 1);
		break;
	case '<':
	case '>':
		packet(data + 1, size - 1, data[0] == '<');
		break;
	default:
		break;
	}
	return 0;
}
