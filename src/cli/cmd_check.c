/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* check and document: what a volume's owner does beside the boot; no root, no network, no device-mapper. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "keysrc/keysrc.h"
#include "luks/check_report.h"
#include "luks/document_make.h"
#include "unlock/exitcode.h"
#include "unlock/header_policy.h"

#define REPORT_MAX (1 << 20)

static int choose_profile(const struct cli_opts *o, struct luks_policy *policy, struct err **err)
{
	if (!o->profile)
		return 0;
	if (!text_eq(o->profile, "strict") && !text_eq(o->profile, "compat"))
		return err_set(err, ERR_CONFIG, "usage", "--profile is strict or compat, not \"%s\"", o->profile);
	policy->profile = text_eq(o->profile, "compat") ? LUKS_COMPAT : LUKS_STRICT;
	return 0;
}

/* Prints one report; EXIT_INTEGRITY when the header failed. */
static int check_one(struct cli *cli, const char *name, const char *spec, const struct luks_policy *policy, json_t *reports,
		     struct err **err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(REPORT_MAX);
	struct luks_device dev = LUKS_DEVICE_INIT;
	struct luks_check c = { 0 };
	int code;

	if (device_find(cli->root_fd, spec, true, &dev, err) < 0)
		return -1;
	if (luks_check_run(&dev, name, policy, &c, err) < 0) {
		device_close(&dev);
		return -1;
	}
	if (reports) {
		json_array_append_new(reports, luks_check_json(&c));
	} else {
		luks_check_text(&c, &text);
		fputs(buf_cstr(&text) ? buf_cstr(&text) : "", stdout);
	}
	code = c.passed ? EXIT_OK : EXIT_INTEGRITY;
	luks_check_clear(&c);
	device_close(&dev);
	return code;
}

static int check_volume(struct cli *cli, const struct config_volume *v, json_t *reports, struct err **err)
{
	struct luks_policy policy = header_policy_of(v);

	if (choose_profile(&cli->opts, &policy, err) < 0)
		return -1;
	return check_one(cli, v->name, v->device, &policy, reports, err);
}

static int check_all(struct cli *cli, json_t *reports, struct err **err)
{
	int code = EXIT_OK;

	if (cli_need_config(cli, err) < 0)
		return -1;
	if (!cli->config->volumes[0]) {
		err_set(err, ERR_NOTHING, "no-volume", "no volume configured here");
		return err_hint(err, "name a device or file: cryptattest check disk.img");
	}
	for (struct config_volume **v = cli->config->volumes; *v; v++) {
		struct err *one = NULL;
		int rc = check_volume(cli, *v, reports, &one);

		if (rc < 0) {
			err_wrap(&one, "%s", (*v)->name);
			rc = cli_fail(one);
		}
		code = code ? code : rc;
	}
	return code;
}

/* A word with a slash or an equals sign, and an existing file, is a device; any other word is a configured volume. */
static int check_word(struct cli *cli, const char *word, json_t *reports, struct err **err)
{
	struct luks_policy policy = { .profile = LUKS_STRICT };
	const struct config_volume *v;

	if (strpbrk(word, "/=") || access(word, F_OK) == 0) {
		if (choose_profile(&cli->opts, &policy, err) < 0)
			return -1;
		return check_one(cli, word, word, &policy, reports, err);
	}
	if (cli_need_config(cli, err) < 0)
		return -1;
	if (config_need_volume(cli->config, word, &v, err) < 0)
		return err_wrap(err, "%s is no file", word);
	return check_volume(cli, v, reports, err);
}

static int print_reports(json_t *reports)
{
	json_t *root = json_pack("{s:i, s:O}", "version", 1, "volumes", reports);

	return cli_put_json(root);
}

int cmd_check(struct cli *cli)
{
	json_t *reports = cli->opts.json ? json_array() : NULL;
	struct err *err = NULL;
	int code = cli->opts.n_args ? check_word(cli, cli->opts.args[0], reports, &err) : check_all(cli, reports, &err);

	if (code < 0)
		code = cli_fail(err);
	if (reports && print_reports(reports) != EXIT_OK)
		code = EXIT_INTERNAL;
	json_decref(reports);
	return fflush(stdout) == 0 ? code : EXIT_INTERNAL;
}

static int print_pins(const struct secret_document *doc)
{
	_cleanup_buf_ struct buf lines = BUF_INIT(4096);

	luks_document_pins(doc, &lines);
	fputs(buf_cstr(&lines) ? buf_cstr(&lines) : "", stdout);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_INTERNAL;
}

static int print_document(const struct secret_document *doc, struct err **err)
{
	_cleanup_secret_ struct secret *text = NULL;

	if (secret_document_text(doc, &text, err) < 0)
		return -1;
	/* Straight from locked memory: stdio would leave a copy of the passphrase in its buffer (S2). */
	return fd_write_all(STDOUT_FILENO, secret_cdata(text), secret_len(text), err);
}

static int make_document(struct cli *cli, struct secret_document *doc, struct err **err)
{
	struct luks_policy policy = { .profile = LUKS_STRICT };
	_cleanup_secret_ struct secret *pass = NULL;
	struct luks_device dev = LUKS_DEVICE_INIT;
	const struct config_volume *v;
	int rc, keyslot = cli->opts.keyslot;

	if (cli->opts.config) {
		if (cli_need_config(cli, err) < 0 || config_need_volume(cli->config, cli->opts.name, &v, err) < 0)
			return -1;
		policy = header_policy_of(v);
		keyslot = keyslot >= 0 ? keyslot : v->keyslot;
	}
	if (choose_profile(&cli->opts, &policy, err) < 0)
		return -1;
	if (device_find(cli->root_fd, cli->opts.args[0], true, &dev, err) < 0)
		return -1;
	rc = cli_read_passphrase(cli, cli->opts.args[0], &pass, err);
	if (rc == 0)
		rc = luks_document_make(&dev, &policy, cli->opts.name, pass, keyslot, doc, err) < 0 ?
			     err_wrap(err, "%s: %s", cli->opts.name, cli->opts.args[0]) :
			     0;
	device_close(&dev);
	return rc;
}

int cmd_document(struct cli *cli)
{
	struct secret_document doc = { .keyslot = -1, .sealed_keyslot = -1 };
	struct err *err = NULL;
	int code;

	if (!cli->opts.name) {
		err_set(&err, ERR_CONFIG, "usage", "document needs --name NAME: the secret is bound to the volume's name");
		return cli_fail(err);
	}
	if (!text_is_volume_name(cli->opts.name)) {
		err_set(&err, ERR_CONFIG, "volume-name", "--name \"%s\" is no volume name", cli->opts.name);
		err_hint(&err, "letters, digits and \"_.-\", at most 63, beginning with a letter or digit");
		return cli_fail(err);
	}
	if (!cli->opts.pins && isatty(STDOUT_FILENO)) {
		err_set(&err, ERR_CONFIG, "usage", "the document holds the passphrase and does not go to a terminal");
		err_hint(&err, "write it to a file or pipe, or ask for --pins");
		return cli_fail(err);
	}
	if (make_document(cli, &doc, &err) < 0)
		return cli_fail(err);
	code = cli->opts.pins ? print_pins(&doc) : EXIT_OK;
	if (!cli->opts.pins && print_document(&doc, &err) < 0)
		code = cli_fail(err);
	secret_document_clear(&doc);
	return code;
}
