/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One table of options; each verb names those it takes, any other is a usage error. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/cli.h"

enum kind { FLAG, STRING, NUMBER };

static const struct option_def {
	const char *name;
	unsigned int bit; /* 0: every verb */
	enum kind kind;
	size_t offset;
	const char *arg, *doc;
} defs[] = {
#define O(field) offsetof(struct cli_opts, field)
	{ "all", OPT_ALL, FLAG, O(all), NULL, "every configured volume that is not manual" },
	{ "boot", OPT_BOOT, FLAG, O(boot), NULL, "called by the boot: wait for devices and network, then act as on-failure says" },
	{ "prepare", OPT_PREPARE, FLAG, O(prepare), NULL, "audit the headers and leave copies for crypttab's header=; open nothing" },
	{ "peer", OPT_PEER, FLAG, O(peer), NULL, "the volume that the program at the other end of the socket asks for" },
	{ "check", OPT_CHECK, FLAG, O(check), NULL, "check the configuration and say what is wrong (default)" },
	{ "show", OPT_SHOW, FLAG, O(show), NULL, "print the effective configuration with file and line" },
	{ "crypttab", OPT_CRYPTTAB, STRING, O(crypttab), "FILE", "also check that FILE's lines for our volumes always refuse" },
	{ "config", OPT_CONFIG, STRING, O(config), "FILE|DIR", "read this instead of the installed configuration" },
	{ "decode", OPT_DECODE, STRING, O(decode), "FILE", "decode a saved report, quote, Trustee evidence object or Azure HCL report" },
	{ "verify", OPT_VERIFY, STRING, O(verify), "FILE", "verify it; takes the options of `cryptattest-kbs verify`" },
	{ "format", OPT_FORMAT, STRING, O(format), "trustee|raw", "trustee: the object a Trustee KBS takes; raw: bytes" },
	{ "report-data", OPT_REPORT_DATA, STRING, O(report_data), "HEX", "up to 64 bytes, padded on the right with zeros" },
	{ "output", OPT_OUTPUT, STRING, O(output), "FILE", "write there instead of standard output" },
	{ "name", OPT_NAME, STRING, O(name), "NAME", "volume name the secret is for" },
	{ "key-file", OPT_KEY_FILE, STRING, O(key_file), "FILE", "passphrase from FILE (whole content) instead of standard input" },
	{ "push", OPT_PUSH, FLAG, O(push), NULL, "wait for an operator (cryptattest-kbs push), as [push] of the configuration says" },
	{ "keyslot", OPT_KEYSLOT, NUMBER, O(keyslot), "N", "this keyslot and no other" },
	{ "pins", OPT_PINS, FLAG, O(pins), NULL, "print the lines for the configuration instead of the document" },
	{ "profile", OPT_PROFILE, STRING, O(profile), "strict|compat", "header profile" },
	{ "source", OPT_SOURCE, STRING, O(source), "NAME", "which [kbs NAME] section (default: the first)" },
	{ "source", OPT_ENROLL_SOURCE, STRING, O(source), "kbs|vtpm", "for whom the keyslot is" },
	{ "from", OPT_SEALING, STRING, O(from), "systemd-tpm2|clevis", "authorize by that program's keyslot; without --source: print its settings" },
	{ "document", OPT_SEALING, STRING, O(document), "FILE", "the broker's document, to be given out with what re-sealing at boot needs" },
	{ "kbs-part", OPT_SEALING, STRING, O(kbs_part), "FILE", "mode kbs+vtpm: what the broker holds (document or passphrase)" },
	{ "pin-file", OPT_SEALING, STRING, O(pin_file), "FILE", "the new PIN (whole content) instead of asking for it" },
	{ "owner-auth-file", OPT_SEALING | OPT_NV, STRING, O(owner_auth_file), "FILE", "authorization of the TPM's owner, where one is set" },
	{ "nv-indices", OPT_NV, FLAG, O(nv_indices), NULL, "also remove the TPM's indices that [vtpm] names" },
	{ "force", OPT_FORCE, FLAG, O(force), NULL, "do what is refused with a hint to this option" },
	{ "kernel", OPT_NEXT, STRING, O(kernel), "FILE", "the next boot's kernel (default: the file that this boot's log names)" },
	{ "initrd", OPT_NEXT, STRING, O(initrd), "FILE", "the next boot's initrd" },
	{ "cmdline", OPT_NEXT, STRING, O(cmdline), "TEXT", "the next boot's kernel arguments, without BOOT_IMAGE= and initrd=" },
	{ "uki", OPT_NEXT, STRING, O(uki), "FILE", "the next boot's unified kernel image" },
	{ "sign", OPT_SIGN, STRING, O(sign), "KEY.pem", "print a tpm2-pcr-signature.json over the signed PCRs instead" },
	{ "version", OPT_SIGN, STRING, O(version), "N", "version of the signed policy (needed with version-index)" },
	{ "predicted", OPT_PREDICTED, FLAG, O(predicted), NULL, "seal for the PCR values that `predict` computes, not for those of now" },
	{ "remits", OPT_REMITS, FLAG, O(remits), NULL, "who answers for what, and what covers this initrd" },
	{ "metrics", OPT_TELL, FLAG, O(metrics), NULL, "OpenMetrics text: seconds by phase, sources, result, cap, next boot" },
	{ "svg", OPT_TELL, STRING, O(svg), "FILE", "the timeline of this boot's runs as a picture" },
	{ "json", OPT_JSON, FLAG, O(json), NULL, "machine-readable output" },
	{ "status-fd", OPT_STATUS_FD, NUMBER, O(status_fd), "N", "one JSON object per phase on this descriptor" },
	{ "timings", OPT_TIMINGS, FLAG, O(timings), NULL, "table of phases on standard error" },
	{ "debug", 0, FLAG, O(debug), NULL, "say everything; never a secret" },
	{ "quiet", 0, FLAG, O(quiet), NULL, "warnings and errors only" },
#undef O
};

#define LONG_BASE 1000

static bool takes(const struct verb *verb, const struct option_def *d)
{
	return !d->bit || (verb->options & d->bit);
}

static int store(const struct option_def *d, const char *value, struct cli_opts *o, struct err **err)
{
	char *base = (char *)o;
	uint64_t n;

	switch (d->kind) {
	case FLAG:
		*(bool *)(base + d->offset) = true;
		return 0;
	case STRING:
		if (*(const char **)(void *)(base + d->offset))
			return err_set(err, ERR_CONFIG, "usage", "--%s is given twice", d->name);
		*(const char **)(void *)(base + d->offset) = value;
		return 0;
	case NUMBER:
		if (text_u64(value, 0, 1 << 20, &n, err) < 0)
			return err_wrap(err, "--%s", d->name);
		/* -1: not given. Which of two keyslots is to be wiped is nothing to guess. */
		if (*(int *)(void *)(base + d->offset) >= 0)
			return err_set(err, ERR_CONFIG, "usage", "--%s is given twice", d->name);
		*(int *)(void *)(base + d->offset) = (int)n;
		return 0;
	}
	return 0;
}

static int unknown_option(const struct verb *verb, const char *word, struct err **err)
{
	const char *names[ARRAY_SIZE(defs) + 1] = { NULL };
	const char *nearest;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(defs); i++)
		if (takes(verb, &defs[i]))
			names[n++] = defs[i].name;
	nearest = text_starts(word, "--") ? text_nearest(word + 2, names) : NULL;
	err_set(err, ERR_CONFIG, "usage", "%s does not take %s", verb->name, word);
	return nearest ? err_hint(err, "did you mean --%s?", nearest) : err_hint(err, "see `cryptattest help %s`", verb->name);
}

/* getopt takes abbreviations, which the next release's options would make ambiguous: a script must not learn them. */
static bool spelled_out(const struct option_def *d, char *const *argv)
{
	const char *word = argv[optind - 1];

	if (optarg && optarg == word)
		word = argv[optind - 2];
	return text_starts(word, "--") && strncmp(word + 2, d->name, strlen(d->name)) == 0;
}

/* What getopt did not take: '?' or ':'. optopt is 0 for an unknown word, else the option that is used wrongly. */
static int refuse_option(const struct verb *verb, int c, char *const *argv, struct err **err)
{
	char letter[] = { '-', (char)optopt, 0 };

	if (optopt >= LONG_BASE && c == ':')
		return err_set(err, ERR_CONFIG, "usage", "--%s needs a value: %s", defs[optopt - LONG_BASE].name,
			       defs[optopt - LONG_BASE].arg);
	if (optopt >= LONG_BASE)
		return err_set(err, ERR_CONFIG, "usage", "--%s takes no value", defs[optopt - LONG_BASE].name);
	return unknown_option(verb, optopt ? letter : argv[optind - 1], err);
}

static int check_positional(const struct verb *verb, const struct cli_opts *o, struct err **err)
{
	if (o->n_args < verb->min_args)
		err_set(err, ERR_CONFIG, "usage", "%s needs: %s", verb->name, verb->args);
	else if (verb->max_args >= 0 && o->n_args > verb->max_args)
		err_set(err, ERR_CONFIG, "usage", "%s: one word too many: %s", verb->name, o->args[verb->max_args]);
	else
		return 0;
	return err_hint(err, "see `cryptattest help %s`", verb->name);
}

static bool has_word(int argc, char *const *argv, const char *word)
{
	for (int i = 1; i < argc; i++)
		if (text_eq(argv[i], word))
			return true;
	return false;
}

static bool find_verify(int argc, char *const *argv, struct cli_opts *o)
{
	for (int i = 1; i < argc && !o->verify; i++)
		if (text_eq(argv[i], "--verify") || text_starts(argv[i], "--verify="))
			o->verify = argv[i];
	o->debug = o->verify && has_word(argc, argv, "--debug");
	o->quiet = o->verify && has_word(argc, argv, "--quiet");
	return o->verify;
}

int opts_parse(const struct verb *verb, int argc, char **argv, struct cli_opts *ret, struct err **err)
{
	struct option longs[ARRAY_SIZE(defs) + 2] = { 0 };
	size_t n = 0;
	int c;

	*ret = (struct cli_opts){ .status_fd = -1, .keyslot = -1, .argc = argc, .argv = argv };
	/* `evidence --verify` shares its options with the server's program: they are parsed there. */
	if (verb->raw && find_verify(argc, argv, ret))
		return has_word(argc, argv, "--help") || has_word(argc, argv, "-h");
	for (size_t i = 0; i < ARRAY_SIZE(defs); i++)
		if (takes(verb, &defs[i]))
			longs[n++] = (struct option){ defs[i].name, defs[i].kind == FLAG ? no_argument : required_argument, NULL,
						      LONG_BASE + (int)i };
	longs[n] = (struct option){ "help", no_argument, NULL, 'h' };
	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		if (c == 'h')
			return 1;
		if (c < LONG_BASE)
			return refuse_option(verb, c, argv, err);
		if (!spelled_out(&defs[c - LONG_BASE], argv))
			return unknown_option(verb, argv[optind - (optarg && optarg == argv[optind - 1] ? 2 : 1)], err);
		if (store(&defs[c - LONG_BASE], optarg, ret, err) < 0)
			return -1;
	}
	ret->args = argv + optind;
	ret->n_args = argc - optind;
	return check_positional(verb, ret, err);
}

void opts_help(FILE *out, const struct verb *verb)
{
	fprintf(out, "cryptattest %s%s%s\n\n%s\n\n", verb->name, *verb->args ? " " : "", verb->args, verb->help);
	for (size_t i = 0; i < ARRAY_SIZE(defs); i++) {
		const struct option_def *d = &defs[i];
		char left[64];

		if (!takes(verb, d))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", d->name, d->arg ? " " : "", d->arg ? d->arg : "");
		fprintf(out, "  %-28s %s\n", left, d->doc);
	}
}
