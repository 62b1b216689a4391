/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* evidence: fetch, decode, verify. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "crypto/digest.h"
#include "evidence/hcl_report.h"
#include "evidence/trustee_json.h"
#include "state/state.h"
#include "tee/tee.h"
#include "unlock/exitcode.h"
#include "verify/verify_options.h"

#define LOCK_WAIT_MS 60000
#define FETCH_MS 120000

/* --- verify: the options are those of `cryptattest-kbs verify` --- */

static int parse_verify(struct cli_opts *o, struct verify_options *vo, struct err **err)
{
	for (int i = 1; i < o->argc; i++) {
		char *word = o->argv[i], *eq;

		if (!text_starts(word, "--"))
			return err_set(err, ERR_CONFIG, "usage", "evidence --verify does not take \"%s\"", word);
		word += 2;
		if (text_eq(word, "config") || text_starts(word, "config=")) {
			o->config = word[6] ? word + 7 : i + 1 < o->argc ? o->argv[++i] : "";
			continue;
		}
		if (text_eq(word, "json") || text_eq(word, "debug") || text_eq(word, "quiet"))
			continue; /* the verdict is JSON anyway; the other two are known already */
		eq = strchr(word, '=');
		if (eq)
			*eq = 0;
		else if (i + 1 >= o->argc)
			return err_set(err, ERR_CONFIG, "usage", "--%s needs a value", word);
		if (verify_options_set(vo, text_eq(word, "verify") ? "evidence" : word, eq ? eq + 1 : o->argv[++i], err) < 0)
			return -1;
	}
	return 0;
}

static int verify(struct cli *cli)
{
	struct verify_options vo = { 0 };
	_cleanup_free_ char *json = NULL;
	_cleanup_buf_ struct buf note = BUF_INIT(1 << 20);
	struct err *err = NULL;
	int code = EXIT_INTERNAL;

	if (parse_verify(&cli->opts, &vo, &err) < 0) {
		err_hint(&err, "see `cryptattest help evidence` and cryptattest-kbs(8), VERIFY");
		return cli_fail(err);
	}
	if (cli->opts.config && cli_need_config(cli, &err) < 0)
		return cli_fail(err);
	if (verify_options_run(&vo, &json, &code, &note, &err) < 0)
		return cli_fail(err);
	if (cli_put(json) != EXIT_OK)
		return EXIT_INTERNAL;
	if (note.len)
		log_info("%s", buf_cstr(&note));
	return code;
}

/* --- fetch and decode --- */

static int fetch(struct cli *cli, struct evidence *ret, struct err **err)
{
	struct tee_env te = { .root_fd = cli->root_fd, .may_mount = true };
	_cleanup_buf_ struct buf why = BUF_INIT(16384);
	_cleanup_close_ int lock = -1;
	const struct tee_provider *p;
	uint8_t data[TEE_REPORT_DATA] = { 0 };
	const char *hex = cli->opts.report_data;
	int rc;

	if (hex && (!*hex || strlen(hex) % 2 || strlen(hex) > 2 * TEE_REPORT_DATA))
		return err_set(err, ERR_CONFIG, "usage", "--report-data: 2 to %d hexadecimal digits, an even number",
			       2 * TEE_REPORT_DATA);
	if (hex && hex_decode(hex, strlen(hex), data, strlen(hex) / 2, err) < 0) {
		err_reclass(err, ERR_CONFIG);
		return err_wrap(err, "--report-data");
	}
	if (!hex && random_bytes(data, sizeof(data), err) < 0)
		return -1;
	if (state_lock(cli->root_fd, deadline_in_ms(LOCK_WAIT_MS), &lock, err) < 0 ||
	    tee_detect(cli->platform->tees, &te, &p, &why, err) < 0)
		return -1;
	events_start(cli->events, "evidence", NULL);
	rc = tee_collect(p, &te, data, deadline_in_ms(FETCH_MS), ret, err);
	return events_done(cli->events, "evidence", NULL, rc, err);
}

static int load_hcl(const uint8_t *data, size_t len, json_t **ret, struct err **err)
{
	struct hcl_report r;

	return hcl_report_decode(data, len, &r, err) < 0 ? -1 : hcl_report_claims(&r, ret, err);
}

/* Evidence, or for a report out of Azure's vTPM its fields at once: a broker takes it only together with a TPM's quote. */
static int load(const char *path, struct evidence *ret, json_t **ret_claims, struct err **err)
{
	_cleanup_free_ char *data = NULL;
	const uint8_t *bytes;
	size_t len;

	if (file_read(AT_FDCWD, path, VERIFY_EVIDENCE_FILE_MAX, ERR_CONFIG, &data, &len, err) < 0)
		return -1;
	bytes = (const uint8_t *)data;
	if ((hcl_report_is(bytes, len) ? load_hcl(bytes, len, ret_claims, err) : evidence_load(bytes, len, ret, err)) < 0) {
		/* `verify`: also unparsable (architecture.md 6). */
		err_reclass(err, ERR_REFUSED);
		return err_wrap(err, "%s", path);
	}
	return 0;
}

static void print_claims(FILE *out, const json_t *v, const char *prefix)
{
	const char *key;
	json_t *m;

	json_object_foreach((json_t *)v, key, m) {
		char name[160];

		snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", key);
		if (json_is_object(m))
			print_claims(out, m, name);
		else if (json_is_string(m))
			fprintf(out, "%-32s %s\n", name, json_string_value(m));
		else if (json_is_integer(m))
			fprintf(out, "%-32s %lld\n", name, (long long)json_integer_value(m));
		else if (json_is_boolean(m))
			fprintf(out, "%-32s %s\n", name, json_is_true(m) ? "yes" : "no");
		else if (json_is_null(m))
			fprintf(out, "%-32s -\n", name);
	}
}

/* claims: of something that is no evidence; borrowed. NULL: those of ev. */
static int write_text(const struct cli_opts *o, FILE *out, const struct evidence *ev, json_t *claims, struct err **err)
{
	_cleanup_free_ char *text = NULL;

	if (o->format) {
		if (evidence_to_trustee_json(ev, &text, err) < 0)
			return -1;
		fprintf(out, "%s\n", text);
		return 0;
	}
	if (!json_incref(claims) && evidence_claims(ev, &claims, err) < 0)
		return -1;
	if (o->json) {
		text = json_dumps(claims, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
		fprintf(out, "%s\n", text ? text : "");
	} else {
		print_claims(out, claims, "");
	}
	json_decref(claims);
	return text || !o->json ? 0 : err_nomem(err);
}

static int output(const struct cli_opts *o, const struct evidence *ev, json_t *claims, struct err **err)
{
	FILE *out = o->output ? fopen(o->output, "wxe") : stdout;
	int rc = 0;

	if (!out) {
		bool exists = errno == EEXIST;

		err_set_errno(err, ERR_CONFIG, "output", errno, "cannot create %s", o->output);
		return exists ? err_hint(err, "name another file: what exists is not overwritten") : -1;
	}
	if (text_eq(o->format, "raw"))
		fwrite(ev->report, 1, ev->report_len, out);
	else
		rc = write_text(o, out, ev, claims, err);
	if (fflush(out) != 0 || ferror(out))
		rc = err_set(err, ERR_INTERNAL, "output", "cannot write %s", o->output ? o->output : "standard output");
	if (o->output)
		fclose(out);
	return rc;
}

/* With --config: what an unlock under that configuration would say of the init-data. */
static int judge(struct cli *cli, const struct evidence *ev, struct err **err)
{
	struct unlock_env env = cli_env(cli);
	bool used = false;

	if (!cli->config)
		return 0;
	if (unlock_check_init_data(&env, ev, &used, err) < 0)
		return -1;
	log_info("init-data: %s", used ? ev->tee == TEE_SNP ? "bound by HOST_DATA" : "bound by MRCONFIGID" :
			 cli->config->init_data == INIT_DATA_OFF ? "off by configuration" : "none, and none required");
	return 0;
}

int cmd_evidence(struct cli *cli)
{
	const struct cli_opts *o = &cli->opts;
	struct evidence ev = { 0 };
	struct err *err = NULL;
	json_t *claims = NULL;
	int rc;

	if (o->verify)
		return verify(cli);
	if (o->format && !text_eq(o->format, "trustee") && !text_eq(o->format, "raw")) {
		err_set(&err, ERR_CONFIG, "usage", "--format is \"trustee\" or \"raw\", not \"%s\"", o->format);
		return cli_fail(err);
	}
	if (o->format && o->json) {
		err_set(&err, ERR_CONFIG, "usage", "--json prints the decoded fields, --format the evidence itself: choose one");
		return cli_fail(err);
	}
	if (o->decode && (o->report_data || o->timings)) {
		err_set(&err, ERR_CONFIG, "usage", "%s is for evidence that this machine is asked for, not for --decode",
			o->report_data ? "--report-data" : "--timings");
		return cli_fail(err);
	}
	if (text_eq(o->format, "raw") && !o->output && isatty(STDOUT_FILENO)) {
		err_set(&err, ERR_CONFIG, "usage", "raw evidence does not go to a terminal");
		err_hint(&err, "add --output FILE");
		return cli_fail(err);
	}
	if (o->config && cli_need_config(cli, &err) < 0)
		return cli_fail(err);
	if ((o->decode ? load(o->decode, &ev, &claims, &err) : fetch(cli, &ev, &err)) < 0)
		return cli_fail(err);
	if (!o->decode && judge(cli, &ev, &err) < 0) {
		evidence_clear(&ev);
		return cli_fail(err);
	}
	if (claims && o->format)
		rc = err_set(&err, ERR_CONFIG, "usage", "--format: %s is a report of Azure's vTPM, which no broker takes alone", o->decode);
	else
		rc = output(o, &ev, claims, &err);
	json_decref(claims);
	evidence_clear(&ev);
	return rc < 0 ? cli_fail(err) : EXIT_OK;
}
