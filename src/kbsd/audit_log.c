/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/audit_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"

static void put_who(const struct audit_who *who, char out[static 96])
{
	if (who->session)
		snprintf(out, 96, "%s session %.8s", who->address, who->session->id);
	else
		snprintf(out, 96, "%s", who->address);
}

void audit_refused(const struct audit_who *who, const char *step, const char *id, const char *fmt, ...)
{
	char text[768], at[96];
	va_list ap;

	put_who(who, at);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_warning("refused %s: %s: %s: %s", step, at, id, text);
}

void audit_refused_err(const struct audit_who *who, const char *step, const struct err *why)
{
	audit_refused(who, step, *err_id(why) ? err_id(why) : err_class_name(err_class(why)), "%s", err_message(why));
}

void audit_refused_verdict(const struct audit_who *who, const struct verdict *v)
{
	audit_refused(who, "attest", v->reason_id, "%s", v->reason);
	for (size_t i = 0; i < v->missing_n; i++)
		log_warning("  missing: %s", v->missing[i]);
	if (*v->kds_url)
		log_warning("  to be had from: %s", v->kds_url);
}

/* Line by line, printable characters only, no prefix. */
static void put_block(const char *text, size_t len)
{
	char line[1024];

	while (len) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;

		text_sanitise(text, n, line, sizeof(line) - 1);
		size_t out = strlen(line);
		line[out++] = '\n';
		if (fd_write_all(2, line, out, NULL) < 0)
			return;
		n += nl ? 1 : 0;
		text += n;
		len -= n;
	}
}

void audit_refused_policy(const struct audit_who *who, const char *resource, const struct policy_decision *d)
{
	audit_refused(who, "get", "policy", "%s", resource);
	put_block((const char *)d->explanation.data, d->explanation.len);
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
