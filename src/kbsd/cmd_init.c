/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "kbsd/certs.h"
#include "kbsd/options.h"
#include "kbsd/statedir.h"
#include "kbsd/verbs.h"

#define CERT_MAX (256 * 1024)
#define DAYS_DEFAULT 3650

static const char help_text[] =
	"Makes DIR with everything that serve needs: the listener's key and self-signed\n"
	"certificate, the key that will follow it, the token key, an example policy that\n"
	"allows nothing yet, and the resources directory. Prints the lines for the clients'\n"
	"configuration: both keys' pins, so that --rotate can change the key later without\n"
	"touching a client. Overwrites nothing.\n"
	"\n"
	"With --rotate, of a directory made earlier: the next key comes into use, a new next\n"
	"key is made, and the certificate is signed again (for the same names unless others\n"
	"are given). Clients that hold both printed pins go on working; give them the new\n"
	"next pin before the rotation after this one.\n";

static const char example_policy[] =
	"# Release policy of cryptattest-kbs, see cryptattest-policy(5). Nothing is released\n"
	"# without a rule. After a change:\n"
	"#   cryptattest-kbs policy check policy.conf && systemctl reload cryptattest-kbs\n"
	"#\n"
	"# `cryptattest-kbs policy from-evidence FILE --resource NAME` writes a rule for a\n"
	"# machine from its report or quote, and the log of a refused request holds one too.\n"
	"#\n"
	"#[resource default/web-042/root]\n"
	"#tee = snp\n"
	"# launch digest of firmware, kernel, initrd and command line: 96 digits\n"
	"#measurement = ...\n"
	"# what that digest covers; state it only when it is so\n"
	"#covers = kernel+initrd+cmdline\n"
	"# which instance: digest of its init-data\n"
	"#host-data = ...\n"
	"# oldest platform firmware that is good enough, one line per generation\n"
	"#min-tcb = milan bootloader:4 tee:0 snp:24 microcode:219\n";

struct init_options {
	struct cert_names names;
	const char *user;
	uint64_t days;
	bool rotate;
};

static int write_secret(const struct statedir *d, const char *name, const struct secret *s, struct err **err)
{
	return file_write_atomic(d->fd, name, secret_cdata(s), secret_len(s), 0600, err);
}

static int read_key(const struct statedir *d, const char *name, struct secret **ret, struct err **err)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	if (file_read(d->fd, name, 64 * 1024, ERR_CONFIG, &text, &len, err) < 0)
		return -1;
	r = secret_from(text, len, ret, err);
	wipe(text, len);
	return r;
}

static int make_dir(const struct statedir *d, const char *name, struct err **err)
{
	if (mkdirat(d->fd, name, 0700) < 0 && errno != EEXIST)
		return err_set_errno(err, ERR_CONFIG, "statedir", errno, "%s/%s", d->path, name);
	return 0;
}

static int write_new_key(const struct statedir *d, const char *name, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *key = NULL;

	if (certs_make_key(&key, err) < 0 || write_secret(d, name, key, err) < 0)
		return -1;
	if (ret)
		*ret = TAKE_PTR(key);
	return 0;
}

static int write_cert(const struct statedir *d, const struct init_options *o, const struct cert_names *names,
		      const struct secret *key, struct err **err)
{
	_cleanup_free_ char *pem = NULL;

	if (certs_self_sign(key, names, (unsigned int)o->days, &pem, err) < 0)
		return -1;
	return file_write_atomic(d->fd, FILE_CERT, pem, strlen(pem), 0644, err);
}

/* The certificate is written last: where it stands, the rest is complete, and nothing is overwritten. */
static int make_all(const struct statedir *d, const struct init_options *o, struct err **err)
{
	_cleanup_secret_ struct secret *key = NULL;

	if (statedir_has(d, FILE_CERT)) {
		err_set(err, ERR_CONFIG, "exists", "%s is in use already", d->path);
		return err_hint(err, "--rotate changes to the next key; keys and secrets are never overwritten");
	}
	if (make_dir(d, DIR_RESOURCES, err) < 0 || make_dir(d, DIR_STORE, err) < 0 ||
	    write_new_key(d, FILE_KEY, &key, err) < 0 || write_new_key(d, FILE_NEXT_KEY, NULL, err) < 0 ||
	    write_new_key(d, FILE_TOKEN_KEY, NULL, err) < 0)
		return -1;
	if (!statedir_has(d, FILE_POLICY) &&
	    file_write_atomic(d->fd, FILE_POLICY, example_policy, strlen(example_policy), 0600, err) < 0)
		return -1;
	return write_cert(d, o, &o->names, key, err);
}

/* In this order a crash leaves a pair that does not fit (and serve says so), never a lost next key: it is in server.key
 * before next.key is replaced, and running --rotate again completes the change. */
static int rotate(const struct statedir *d, const struct init_options *o, struct err **err)
{
	_cleanup_secret_ struct secret *next = NULL;
	_cleanup_free_ char *cert = NULL;
	struct cert_names names = o->names;
	size_t len;

	if (file_read(d->fd, FILE_CERT, CERT_MAX, ERR_CONFIG, &cert, &len, err) < 0 ||
	    read_key(d, FILE_NEXT_KEY, &next, err) < 0)
		return -1;
	if (!names.dns_n && !names.ip_n && certs_names(cert, len, &names, err) < 0)
		return -1;
	if (write_secret(d, FILE_KEY, next, err) < 0 || write_cert(d, o, &names, next, err) < 0)
		return -1;
	return write_new_key(d, FILE_NEXT_KEY, NULL, err);
}

static int print_pins(const struct statedir *d, struct err **err)
{
	_cleanup_secret_ struct secret *key = NULL, *next = NULL;
	_cleanup_free_ char *cert = NULL;
	char pin[CERT_PIN_TEXT], next_pin[CERT_PIN_TEXT];
	struct cert_names names;
	size_t len;

	if (read_key(d, FILE_KEY, &key, err) < 0 || read_key(d, FILE_NEXT_KEY, &next, err) < 0 ||
	    certs_pin(key, pin, err) < 0 || certs_pin(next, next_pin, err) < 0 ||
	    file_read(d->fd, FILE_CERT, CERT_MAX, ERR_CONFIG, &cert, &len, err) < 0 ||
	    certs_names(cert, len, &names, err) < 0)
		return -1;
	printf("# for cryptattest.conf(5) on the clients\n[kbs main]\n");
	for (size_t i = 0; i < names.dns_n; i++)
		printf("url = https://%s:8443\n", names.dns[i]);
	for (size_t i = 0; !names.dns_n && i < names.ip_n; i++)
		printf(strchr(names.ip[i], ':') ? "url = https://[%s]:8443\n" : "url = https://%s:8443\n", names.ip[i]);
	printf("# the key in use, then the one that --rotate will bring into use\npin = %s\npin = %s\n", pin, next_pin);
	return fflush(stdout) == 0 ? 0 : err_set_errno(err, ERR_INTERNAL, "write", errno, "standard output");
}

static int run(const char *path, const struct init_options *o, struct err **err)
{
	_cleanup_statedir_ struct statedir d = STATEDIR_INIT;

	if (o->rotate && statedir_open(path, &d, err) < 0)
		return -1;
	if (!o->rotate && !o->names.dns_n && !o->names.ip_n)
		return err_set(err, ERR_CONFIG, "usage", "give at least one --name or --ip that clients will use");
	if (!o->rotate && statedir_make(path, o->user, &d, err) < 0)
		return -1;
	if (d.uid == 0)
		log_warning("%s belongs to root, as whom the server does not run; to do: --user USER, or chown -R USER: %s", path, path);
	if (statedir_become_owner(&d, false, err) < 0)
		return -1;
	if ((o->rotate ? rotate : make_all)(&d, o, err) < 0)
		return -1;
	return print_pins(&d, err);
}

static int add_name(void *ctx, const char *name, const char *value, struct err **err)
{
	(void)name;
	return cert_names_add_dns(ctx, value, err);
}

static int add_ip(void *ctx, const char *name, const char *value, struct err **err)
{
	(void)name;
	return cert_names_add_ip(ctx, value, err);
}

int cmd_init(int n, char **args)
{
	struct init_options o = { .days = DAYS_DEFAULT };
	const struct option_def defs[] = {
		{ "name", OPTION_CALL, &o.names, "HOST", "host name in the certificate (repeatable)", .call = add_name },
		{ "ip", OPTION_CALL, &o.names, "ADDRESS", "address in the certificate (repeatable)", .call = add_ip },
		{ "user", OPTION_STRING, &o.user, "USER", "as root: who owns DIR and will run the server" },
		{ "days", OPTION_U64, &o.days, "N", "validity of the certificate (3650)", 1, 36500 },
		{ "rotate", OPTION_FLAG, &o.rotate, NULL, "bring the next key into use" },
		{ NULL },
	};
	struct err *e = NULL;
	const char *path;
	bool help;

	if (options_parse(defs, n, args, 1, 1, &path, &help, &e) < 0)
		return verb_fail(e);
	if (help) {
		options_help(stdout, "init [--name HOST]... [--ip ADDRESS]... [--user USER] DIR\n"
				     "       cryptattest-kbs init --rotate DIR", help_text, defs);
		return EXIT_DONE;
	}
	return run(path, &o, &e) < 0 ? verb_fail(e) : EXIT_DONE;
}
