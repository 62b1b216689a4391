/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* predict: the next boot's PCRs before the cap, and a signature over those that a signer approves. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "unlock/exitcode.h"
#include "unlock/predict.h"
#include "unlock/predict_env.h"
#include "vtpm/pcr_sign.h"
#include "wire/json.h"

#define KEY_FILE_MAX 65536

static const char *state_name(enum predict_state s)
{
	return s == PREDICT_SAME ? "same" : s == PREDICT_CHANGES ? "changes" : "unknown";
}

static const char *phases_name(enum predict_phases p)
{
	return p == PHASES_MEASURED ? "measured" : p == PHASES_NOT_MEASURED ? "not-measured" : "unknown";
}

static void value_text(const struct prediction *p, unsigned int i, char out[static 2 * PCR_DIGEST_MAX + 1])
{
	*out = 0;
	if (p->pcr[i].state != PREDICT_UNKNOWN)
		hex_encode(p->pcr[i].value, pcr_bank_size(p->bank), out);
}

static void print_text(const struct prediction *p)
{
	char value[2 * PCR_DIGEST_MAX + 1];

	for (unsigned int i = 0; i < PCR_COUNT; i++) {
		if (!(p->mask >> i & 1))
			continue;
		value_text(p, i, value);
		printf("%s:%-2u  %s%s%s\n", pcr_bank_name(p->bank), i, value, *value ? "  " : "", p->pcr[i].why);
	}
	if (p->mask >> 11 & 1 && p->phases == PHASES_UNKNOWN && p->pcr[11].state != PREDICT_UNKNOWN) {
		hex_encode(p->before_phase, pcr_bank_size(p->bank), value);
		printf("%s:11  %s  if systemd-pcrphase does not run in the initrd\n", pcr_bank_name(p->bank), value);
	}
}

static int print_json(const struct prediction *p)
{
	json_t *pcrs = json_object(), *root;
	char value[2 * PCR_DIGEST_MAX + 1], name[12];

	for (unsigned int i = 0; i < PCR_COUNT; i++) {
		if (!(p->mask >> i & 1))
			continue;
		value_text(p, i, value);
		snprintf(name, sizeof(name), "%u", i);
		json_object_set_new(pcrs, name, json_pack("{s:s?, s:s, s:s}", "value", *value ? value : NULL, "state",
							  state_name(p->pcr[i].state), "why", p->pcr[i].why));
	}
	root = json_pack("{s:i, s:s, s:s, s:o}", "version", 1, "bank", pcr_bank_name(p->bank), "phases", phases_name(p->phases), "pcrs", pcrs);
	return cli_put_json(root);
}

static int load_key(const struct cli *cli, struct keypair **ret, struct err **err)
{
	_cleanup_free_ char *pem = NULL;
	uint8_t ours[32], configured[32];
	struct public_key pub;
	size_t len = 0;
	int rc;

	if (file_read(AT_FDCWD, cli->opts.sign, KEY_FILE_MAX, ERR_CONFIG, &pem, &len, err) < 0)
		return err_wrap(err, "--sign");
	rc = keypair_from_pem(pem, len, ret, err);
	explicit_bzero(pem, len);
	if (rc < 0)
		return err_wrap(err, "--sign %s", cli->opts.sign);
	if (!cli->config->vtpm.signer_pem)
		return 0;
	if (keypair_fingerprint(*ret, ours, err) < 0 ||
	    public_key_from_pem(cli->config->vtpm.signer_pem, strlen(cli->config->vtpm.signer_pem), &pub, configured, err) < 0)
		return -1;
	if (memcmp(ours, configured, sizeof(ours)) == 0)
		return 0;
	err_set(err, ERR_CONFIG, "signer", "--sign %s is not the key of signer = %s", cli->opts.sign, cli->config->vtpm.signer);
	return err_hint(err, "sign with the private half of the configured key");
}

/* One entry, or two when it is not known whether the phase word will be there at unlock. */
static int sign_states(const struct pcr_sign_params *sp, const struct prediction *p, struct pcr_sig entry[static 2], size_t *ret_n,
		       struct err **err)
{
	struct pcr_values v;

	if (predict_values(p, sp->pcrs, &v, err) < 0 || pcr_sign(sp, &v, &entry[0], err) < 0)
		return -1;
	*ret_n = 1;
	if (!(sp->pcrs >> 11 & 1) || p->phases != PHASES_UNKNOWN)
		return 0;
	memcpy(v.value[11], p->before_phase, sizeof(v.value[11]));
	if (pcr_sign(sp, &v, &entry[1], err) < 0)
		return -1;
	*ret_n = 2;
	return 0;
}

static int sign(const struct cli *cli, const struct prediction *p, char **ret_text, struct err **err)
{
	const struct config_vtpm *c = &cli->config->vtpm;
	struct pcr_sign_params sp = { .pcrs = c->signed_pcrs, .version_index = c->version_index };
	struct keypair *key = NULL;
	struct pcr_sig entry[2];
	struct pcr_sigs sigs = { .entry = entry };
	int rc;

	if (cli->opts.version && text_u64(cli->opts.version, 0, INT64_MAX, &sp.version, err) < 0)
		return err_wrap(err, "--version");
	sp.has_version = cli->opts.version;
	if (load_key(cli, &key, err) < 0) {
		keypair_free(key);
		return -1;
	}
	sp.key = key;
	rc = sign_states(&sp, p, entry, &sigs.n, err);
	if (rc == 0)
		rc = pcr_sigs_text(&sigs, p->bank, ret_text, err);
	keypair_free(key);
	return rc;
}

static int put_signature(const struct cli *cli, const char *text, struct err **err)
{
	if (cli->opts.output)
		return file_write_atomic(AT_FDCWD, cli->opts.output, text, strlen(text), 0644, err);
	return fputs(text, stdout) == EOF ? err_set(err, ERR_INTERNAL, "output", "cannot write to standard output") : 0;
}

/* Unknown literal PCRs decide the exit code; for a signature only the signed ones do. */
static int verdict(const struct prediction *p, uint32_t mask)
{
	struct err *err = NULL;
	struct pcr_values v;

	if (predict_values(p, mask, &v, &err) == 0)
		return EXIT_OK;
	err_hint(&err, "seal after the next boot instead (re-sealing, or `enroll` in it), or name what will boot: see `cryptattest help predict`");
	return cli_fail(err);
}

static int usage(const struct cli_opts *o, struct err **err)
{
	if (!o->sign && (o->version || o->output))
		return err_set(err, ERR_CONFIG, "usage", "--%s goes with --sign", o->version ? "version" : "output");
	if (o->sign && o->json)
		return err_set(err, ERR_CONFIG, "usage", "--sign prints a signature file: it does not go with --json");
	if (o->uki && (o->kernel || o->initrd || o->cmdline))
		return err_set(err, ERR_CONFIG, "usage", "a unified kernel image holds kernel, initrd and command line: --uki goes alone");
	return 0;
}

int cmd_predict(struct cli *cli)
{
	const struct cli_opts *o = &cli->opts;
	const struct predict_input next = { .kernel = o->kernel, .initrd = o->initrd, .cmdline = o->cmdline, .uki = o->uki };
	_cleanup_free_ char *signature = NULL;
	struct prediction p;
	struct unlock_env env;
	struct err *err = NULL;
	uint32_t mask;

	if (usage(o, &err) < 0 || cli_need_config(cli, &err) < 0)
		return cli_fail(err);
	env = cli_env(cli);
	mask = o->sign ? cli->config->vtpm.signed_pcrs : predict_mask(cli->config);
	if (predict_here(&env, &next, mask, &p, &err) < 0)
		return cli_fail(err);
	if (!o->sign) {
		int code = verdict(&p, mask);

		if (o->json)
			return print_json(&p) == EXIT_OK ? code : EXIT_INTERNAL;
		print_text(&p);
		return fflush(stdout) == 0 ? code : EXIT_INTERNAL;
	}
	if (sign(cli, &p, &signature, &err) < 0 || put_signature(cli, signature, &err) < 0)
		return cli_fail(err);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_INTERNAL;
}
