/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"
#include "kbsd/certs.h"
#include "kbsd/options.h"
#include "kbsd/push_client.h"
#include "kbsd/statedir.h"
#include "kbsd/store.h"
#include "kbsd/verbs.h"
#include "wire/resource_uri.h"

#define FILE_MAX (4 * 1024 * 1024)
#define KEY_MAX (64 * 1024)
#define NOTE_MAX (1024 * 1024)

static const char help_text[] =
	"Gives a secret document to one machine that waits for its owner: `secret = push` or\n"
	"`push = yes` in its configuration, or `cryptattest recover VOLUME --push` there. The\n"
	"machine's evidence is verified here, for this connection, by the rules of a policy, as\n"
	"serve would; without a rule that allows NAME nothing is sent. NAME is what the rules\n"
	"call the secret, such as default/web-042/root.\n"
	"\n"
	"With --dir, policy, chain certificates and the document itself are those of that\n"
	"server; without, the document comes from --document or standard input.\n"
	"\n"
	"  cryptattest-kbs push --make-key operator.key      prints the line for the image\n"
	"  cryptattest-kbs push --key operator.key --policy policy.conf \\\n"
	"      --document root.json --resource default/web-042/root 192.0.2.7:8444\n";

struct push_options {
	const char *key, *make_key, *dir, *policy, *resource, *document, *ca, *store;
	struct option_list test_roots;
	uint64_t wait_ms, timeout_ms;
};

/* What the options name, read. */
struct material {
	struct secret *key, *text;
	struct secret_document document;
	struct policy *policy;
	struct trust_anchors *anchors;
	char *ca, *store_dir;
	size_t ca_len;
};

static void material_clear(struct material *m)
{
	secret_free(m->key);
	secret_free(m->text);
	secret_document_clear(&m->document);
	policy_free(m->policy);
	trust_anchors_free(m->anchors);
	free(m->ca);
	free(m->store_dir);
}

static int read_secret(const char *path, size_t max, struct secret **ret, struct err **err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_set_errno(err, ERR_CONFIG, "open", errno, "%s", path);
	if (secret_read_fd(fd, max, ret, err) < 0)
		return err_wrap(err, "%s", path);
	return 0;
}

static int load_policy(struct material *m, int dirfd, const char *path, struct err **err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (file_read(dirfd, path, FILE_MAX, ERR_CONFIG, &text, &len, err) < 0)
		return err_wrap(err, "policy");
	return policy_parse(path, text, len, &m->policy, err);
}

static int load_anchors(struct material *m, const struct push_options *o, struct err **err)
{
	if (trust_anchors_new(&m->anchors, err) < 0)
		return -1;
	for (size_t i = 0; i < o->test_roots.n; i++) {
		_cleanup_free_ char *text = NULL;
		size_t len;

		if (file_read(AT_FDCWD, o->test_roots.items[i], FILE_MAX, ERR_CONFIG, &text, &len, err) < 0)
			return err_wrap(err, "--test-root");
		if (trust_anchors_add_test_root(m->anchors, text, len, err) < 0) {
			err_reclass(err, ERR_CONFIG);
			return err_wrap(err, "--test-root %s", o->test_roots.items[i]);
		}
		log_warning("TEST ROOT %s: whoever holds its key can forge any evidence", o->test_roots.items[i]);
	}
	return 0;
}

static int take_resource(struct material *m, const struct statedir *d, const char *name, struct err **err)
{
	_cleanup_close_ int fd = openat(d->fd, DIR_RESOURCES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct resource *r;
	struct store *store;
	size_t bad;
	int rc;

	if (fd < 0)
		return err_set_errno(err, ERR_CONFIG, "resource", errno, "%s/" DIR_RESOURCES, d->path);
	if (store_load(fd, NULL, &store, &bad, err) < 0)
		return -1;
	r = store_find(store, name);
	rc = r ? secret_from(secret_cdata(r->content), secret_len(r->content), &m->text, err) :
		 err_set(err, ERR_CONFIG, "resource", "%s: there is no resource %s", d->path, name);
	store_free(store);
	return rc;
}

/* What was not given by option is the server's. Its files are read as its owner. */
static int load_from_dir(struct material *m, const struct push_options *o, const char *name, struct err **err)
{
	_cleanup_statedir_ struct statedir d = STATEDIR_INIT;

	if (statedir_open(o->dir, &d, err) < 0 || statedir_become_owner(&d, false, err) < 0)
		return -1;
	if (!m->policy && load_policy(m, d.fd, FILE_POLICY, err) < 0)
		return -1;
	if (!m->ca && statedir_has(&d, FILE_CA) && file_read_regular(d.fd, FILE_CA, FILE_MAX, ERR_CONFIG, &m->ca, &m->ca_len, err) < 0)
		return -1;
	if (!m->store_dir && statedir_has(&d, DIR_STORE)) {
		m->store_dir = text_printf("%s/" DIR_STORE, o->dir);
		if (!m->store_dir)
			return err_nomem(err);
	}
	return m->text ? 0 : take_resource(m, &d, name, err);
}

static int read_document(struct material *m, const struct push_options *o, struct err **err)
{
	if (o->document)
		return read_secret(o->document, SECRET_DOCUMENT_MAX, &m->text, err);
	if (o->dir)
		return 0;
	if (isatty(STDIN_FILENO))
		return err_set(err, ERR_CONFIG, "usage", "--document FILE is missing, and standard input is a terminal");
	return secret_read_fd(STDIN_FILENO, SECRET_DOCUMENT_MAX, &m->text, err);
}

static int load(struct material *m, const struct push_options *o, const char *name, struct err **err)
{
	if (!o->key)
		return err_set(err, ERR_CONFIG, "usage", "--key FILE is missing; --make-key FILE makes one");
	if (!o->policy && !o->dir)
		return err_set(err, ERR_CONFIG, "usage", "--policy FILE or --dir DIR is missing: without a rule nothing is sent");
	/* Before root becomes the owner of --dir. */
	if (read_secret(o->key, KEY_MAX, &m->key, err) < 0 || load_anchors(m, o, err) < 0 || read_document(m, o, err) < 0)
		return -1;
	if (o->policy && load_policy(m, AT_FDCWD, o->policy, err) < 0)
		return -1;
	if (o->ca && (file_read(AT_FDCWD, o->ca, FILE_MAX, ERR_CONFIG, &m->ca, &m->ca_len, err) < 0 ||
		      certs_check_bundle(m->ca, m->ca_len, err) < 0))
		return err_wrap(err, "--ca");
	if (o->store && !(m->store_dir = text_dup(o->store)))
		return err_nomem(err);
	if (o->dir && load_from_dir(m, o, name, err) < 0)
		return -1;
	if (secret_document_parse(m->text, FORM_DOCUMENT, false, &m->document, err) < 0)
		return err_hint(err, "`cryptattest document` makes one; a bare passphrase is not pushed");
	return 0;
}

static int push(const struct push_options *o, const char *address, struct err **err)
{
	__attribute__((cleanup(material_clear))) struct material m = { .document = { .keyslot = -1, .sealed_keyslot = -1 } };
	_cleanup_buf_ struct buf note = BUF_INIT(NOTE_MAX);
	struct resource_uri uri;
	int rc;

	if (!o->resource)
		return err_set(err, ERR_CONFIG, "usage", "--resource NAME is missing: which rules of the policy count");
	if (resource_uri_parse(o->resource, &uri, err) < 0)
		return err_wrap(err, "--resource");
	if (load(&m, o, uri.path, err) < 0)
		return -1;
	if (!policy_has_section(m.policy, uri.path)) {
		err_set(err, ERR_CONFIG, "push-policy", "no section is for resource %s: nothing would be sent", uri.path);
		return err_hint(err, "a rule of the policy names it: [resource %s]", uri.path);
	}
	const struct push_client c = {
		.address = address,
		.key = m.key,
		.text = m.text,
		.judge = { .anchors = m.anchors, .ca = m.ca, .ca_len = m.ca_len, .store_dir = m.store_dir, .policy = m.policy,
			   .resource = uri.path, .document = &m.document, .at = (int64_t)time(NULL) },
		.wait_ms = o->wait_ms,
		.timeout_ms = o->timeout_ms,
	};
	rc = push_client_run(&c, &note, err);
	if (buf_cstr(&note))
		fputs(buf_cstr(&note), stderr);
	if (rc == 0)
		log_info("%s at %s: the machine has opened it", m.document.name, address);
	return rc;
}

static int make_key(const char *path, struct err **err)
{
	_cleanup_secret_ struct secret *pem = NULL;
	_cleanup_close_ int fd = -1;
	char pin[CERT_PIN_TEXT];

	if (certs_make_key(&pem, err) < 0 || certs_pin(pem, pin, err) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0) {
		bool exists = errno == EEXIST;

		err_set_errno(err, ERR_CONFIG, "open", errno, "%s", path);
		return exists ? err_hint(err, "an operator's key is not overwritten: name another file") : -1;
	}
	if (fd_write_all(fd, secret_cdata(pem), secret_len(pem), err) < 0)
		return err_wrap(err, "%s", path);
	if (fsync(fd) < 0)
		return err_set_errno(err, ERR_INTERNAL, "write", errno, "%s", path);
	printf("# and \"push = yes\" in [volume NAME], for boots that reach no broker\n[push]\noperator = %s\n", pin);
	return fflush(stdout) == 0 ? 0 : err_set_errno(err, ERR_INTERNAL, "write", errno, "standard output");
}

int cmd_push(int n, char **args)
{
	struct push_options o = { .timeout_ms = 30000 };
	const struct option_def defs[] = {
		{ "key", OPTION_STRING, &o.key, "FILE", "the operator's private key, PEM, on the curve P-256" },
		{ "make-key", OPTION_STRING, &o.make_key, "FILE", "make such a key, and print the lines for the machines' image" },
		{ "resource", OPTION_STRING, &o.resource, "NAME", "what the policy calls the secret" },
		{ "policy", OPTION_STRING, &o.policy, "FILE", "release policy (DIR/policy.conf)" },
		{ "document", OPTION_STRING, &o.document, "FILE", "the secret document (DIR's resource NAME, or standard input)" },
		{ "dir", OPTION_STRING, &o.dir, "DIR", "take what is not given from this server's directory" },
		{ "ca", OPTION_STRING, &o.ca, "FILE", "chain certificates for evidence without (DIR/ca.pem if any)" },
		{ "store", OPTION_STRING, &o.store, "DIR", "VCEK certificates, Trustee's naming (DIR/kds-store)" },
		{ "test-root", OPTION_LIST, &o.test_roots, "FILE", "trust this root: for test = yes rules (repeatable)" },
		{ "wait", OPTION_DURATION, &o.wait_ms, "TIME", "try again until the machine listens (one try)", 1, 86400000 },
		{ "timeout", OPTION_DURATION, &o.timeout_ms, "TIME", "for each step before the document is sent (30s)", 1000, 600000 },
		{ NULL },
	};
	const char *address = NULL;
	struct err *e = NULL;
	bool help;

	if (options_parse(defs, n, args, 0, 1, &address, &help, &e) < 0)
		return verb_fail(e);
	if (help) {
		options_help(stdout, "push --key FILE --resource NAME [OPTIONS] HOST:PORT\n       cryptattest-kbs push --make-key FILE", help_text, defs);
		return EXIT_DONE;
	}
	if (!address != !!o.make_key)
		err_set(&e, ERR_CONFIG, "usage", address ? "--make-key takes no address" : "which machine? HOST:PORT is missing");
	else if (o.make_key)
		make_key(o.make_key, &e);
	else
		push(&o, address, &e);
	return e ? verb_fail(e) : EXIT_DONE;
}
