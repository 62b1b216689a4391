/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/audit_log.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/digest.h"

/*
 * Every refusal has its line. Refusals cost an outsider little, though, and the whole story of one can be dozens of lines: each address
 * (IPv6: its /64) may cause 1,000 lines at once and 10 a second at full length; what it causes beyond that is one line of at most
 * SHORT_TEXT for each, so that a flood fills a disk no faster than a web server's access log. A slot may serve several addresses.
 */
#define SLOTS 1024
#define LINES_AT_ONCE 1000
#define NS_PER_LINE (NSEC_PER_SEC / 10)
#define SHORT_TEXT 240

static struct {
	uint64_t paid_until_ns; /* each line moves it on; when it is LINES_AT_ONCE ahead, they become short */
	unsigned int in_short;
} slots[SLOTS];

static size_t slot_of(const char *address)
{
	static uint8_t seed[8];
	static bool seeded;
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	struct in6_addr v6;
	size_t len = strlen(address);

	if (!seeded)
		seeded = random_bytes(seed, sizeof(seed), NULL) == 0;
	if (inet_pton(AF_INET6, address, &v6) == 1) {
		address = (const char *)v6.s6_addr;
		len = 8;
	}
	for (size_t i = 0; i < sizeof(seed) + len; i++)
		h = (h ^ (i < sizeof(seed) ? seed[i] : (uint8_t)address[i - sizeof(seed)])) * UINT64_C(0x100000001b3);
	return (size_t)((h ^ h >> 32) % SLOTS);
}

static void charge(size_t i, unsigned int lines)
{
	slots[i].paid_until_ns += lines * NS_PER_LINE;
}

/* Whether the next refusal of this address may be told at length; says when that changes. */
static bool at_length(const struct audit_who *who)
{
	uint64_t now = clock_monotonic_ns();
	size_t i = slot_of(who->address);

	if (slots[i].paid_until_ns < now)
		slots[i].paid_until_ns = now;
	/* Once short, short until a pause of two lines' time: it must not alternate. */
	if (slots[i].paid_until_ns - now + (slots[i].in_short ? 2 * NS_PER_LINE : 0) > LINES_AT_ONCE * NS_PER_LINE) {
		slots[i].paid_until_ns = now + LINES_AT_ONCE * NS_PER_LINE;
		if (!slots[i].in_short++)
			log_warning("%s is refused more than 10 times a second: one short line for each from here on, at length again after "
				    "a pause",
				    who->address);
		return false;
	}
	charge(i, 1);
	if (slots[i].in_short)
		log_warning("%u refusals were logged in short, most of %s", slots[i].in_short, who->address);
	slots[i].in_short = 0;
	return true;
}

static void put_who(const struct audit_who *who, char out[static 96])
{
	if (who->session)
		snprintf(out, 96, "%s session %.8s", who->address, who->session->id);
	else
		snprintf(out, 96, "%s", who->address);
}

/* False: it was told in short, and nothing is to follow. */
static bool refused(const struct audit_who *who, const char *step, const char *id, const char *text)
{
	bool whole = at_length(who);
	char at[96];

	put_who(who, at);
	log_warning("refused %s: %s: %s: %.*s", step, at, id, whole ? (int)strlen(text) : SHORT_TEXT, text);
	return whole;
}

void audit_refused(const struct audit_who *who, const char *step, const char *id, const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	refused(who, step, id, text);
}

void audit_refused_err(const struct audit_who *who, const char *step, const struct err *why)
{
	audit_refused(who, step, *err_id(why) ? err_id(why) : err_class_name(err_class(why)), "%s", err_message(why));
}

void audit_refused_verdict(const struct audit_who *who, const struct verdict *v)
{
	if (!refused(who, "attest", v->reason_id, v->reason))
		return;
	for (size_t i = 0; i < v->missing_n; i++)
		log_warning("  missing: %s", v->missing[i]);
	if (*v->kds_url)
		log_warning("  to be had from: %s", v->kds_url);
}

/* Line by line, printable characters only, no prefix. Returns how many. */
static unsigned int put_block(const char *text, size_t len)
{
	unsigned int lines = 0;
	char line[1024];

	for (; len; lines++) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;

		text_sanitise(text, n, line, sizeof(line) - 1);
		size_t out = strlen(line);
		line[out++] = '\n';
		if (fd_write_all(2, line, out, NULL) < 0)
			break;
		n += nl ? 1 : 0;
		text += n;
		len -= n;
	}
	return lines;
}

void audit_refused_policy(const struct audit_who *who, const char *resource, const struct policy_decision *d)
{
	const char *why = (const char *)d->explanation.data, *end = why ? memchr(why, '\n', d->explanation.len) : NULL;
	char text[768];

	/* The first line says which rule, which key, what was found and what is wanted: it stands in the refusal's own line. */
	snprintf(text, sizeof(text), "%s: %.*s", resource, end ? (int)(end - why) : 0, end ? why : "");
	if (refused(who, "get", "policy", text))
		charge(slot_of(who->address), put_block((const char *)d->explanation.data, d->explanation.len));
}

/* The machine as an administrator tells machines apart. */
static void put_machine(const struct attested *a, char out[static 256])
{
	char measurement[97], chip[17];

	if (a->verdict.tee == TEE_SNP) {
		hex_encode(a->verdict.snp.measurement, 48, measurement);
		hex_encode(a->verdict.snp.chip_id, 8, chip);
		snprintf(out, 256, "snp measurement %s chip %s..", measurement, chip);
	} else {
		hex_encode(a->verdict.tdx.body.mrtd, 48, measurement);
		snprintf(out, 256, "tdx mrtd %s", measurement);
	}
}

void audit_attested(const struct audit_who *who)
{
	const struct attested *a = who->session->attested;
	char at[96], machine[256];

	put_who(who, at);
	put_machine(a, machine);
	log_info("attested: %s: protocol %s, %s, tcb %s, root %s", at, kbs_protocol_name(who->session->protocol), machine,
		 a->verdict.tcb, a->verdict.root);
}

void audit_released(const struct audit_who *who, const char *resource, const struct policy_decision *d)
{
	char at[96], machine[256];

	put_who(who, at);
	put_machine(who->session->attested, machine);
	log_info("released %s: %s: rule %s, covers %s, %s", resource, at, d->rule, *d->covers ? d->covers : "not stated",
		 machine);
}
