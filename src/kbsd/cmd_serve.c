/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "kbsd/listen.h"
#include "kbsd/options.h"
#include "kbsd/server.h"
#include "kbsd/verbs.h"

#define FDS_SPARE 64 /* files, listeners, epoll, log */

static const char help_text[] =
	"Answers the KBS protocol (0.4.0 and 0.2.0) over TLS from the directory that init\n"
	"made. Started as root it binds its sockets and then becomes the directory's owner;\n"
	"it never runs as root. SIGHUP reads policy, resources, chain certificates and the\n"
	"TLS certificate again; what is bad then stays as it was, and the log says so.\n"
	"SIGTERM ends it. Every refusal is logged with its cause and, where a policy rule\n"
	"could accept the evidence, with that rule to paste; every release is logged too.\n"
	"\n"
	"With any --test-root only resources whose rules say test = yes are released.\n";

struct serve_options {
	const char *dir, *user;
	struct option_list listen;
	struct assets_paths paths;
	uint64_t max_connections, max_per_address, max_sessions;
	uint64_t connection_ms, idle_ms, session_ms;
	const char *protocol;
};

static int choose_protocol(const char *text, bool spoken[KBS_0_4_0 + 1], struct err **err)
{
	enum kbs_protocol p;

	if (!text) {
		spoken[KBS_0_2_0] = spoken[KBS_0_4_0] = true;
		return 0;
	}
	if (kbs_protocol_by_name(text, &p, err) < 0)
		return err_wrap(err, "--protocol");
	if (p != KBS_0_2_0 && p != KBS_0_4_0)
		return err_set(err, ERR_CONFIG, "usage", "--protocol: %s is not spoken here, only 0.2.0 and 0.4.0", text);
	spoken[p] = true;
	return 0;
}

static int raise_file_limit(uint64_t connections, struct err **err)
{
	struct rlimit rl;
	rlim_t want = (rlim_t)connections + FDS_SPARE;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return err_set_errno(err, ERR_INTERNAL, "rlimit", errno, "getrlimit");
	if (rl.rlim_cur >= want)
		return 0;
	rl.rlim_cur = want;
	if (rl.rlim_max < want)
		rl.rlim_max = want;
	if (setrlimit(RLIMIT_NOFILE, &rl) == 0)
		return 0;
	err_set_errno(err, ERR_CONFIG, "rlimit", errno, "%llu connections need %llu open files",
		      (unsigned long long)connections, (unsigned long long)want);
	return err_hint(err, "raise LimitNOFILE= of the unit (ulimit -n), or lower --max-connections");
}

static int bind_all(const struct option_list *list, int fds[static OPTION_LIST_MAX], size_t *ret_n, struct err **err)
{
	static const struct option_list standard = { .items = { LISTEN_DEFAULT }, .n = 1 };

	if (!list->n)
		list = &standard;
	if (list->n > LISTENERS_MAX)
		return err_set(err, ERR_CONFIG, "usage", "--listen: at most %d", LISTENERS_MAX);
	for (*ret_n = 0; *ret_n < list->n; ++*ret_n)
		if (listen_bind(list->items[*ret_n], &fds[*ret_n], err) < 0)
			return -1;
	return 0;
}

static void warn_test_roots(const struct assets *a)
{
	if (!trust_anchors_have_test(a->anchors))
		return;
	log_warning("TEST ROOTS ARE TRUSTED: whoever holds a test root's key can forge any evidence");
	for (size_t i = 0; i < a->paths.test_roots.n; i++)
		log_warning("TEST ROOT %s", a->paths.test_roots.items[i]);
	log_warning("TEST SERVER: only resources whose rules say test = yes are released");
}

static int serve(const struct statedir *d, const struct serve_options *o, const bool *spoken, const int *fds,
		 size_t fds_n, struct err **err)
{
	struct assets assets;
	struct server *server = NULL;
	int r;

	if (assets_load(d, &o->paths, &assets, err) < 0)
		return -1;
	warn_test_roots(&assets);
	struct server_params params = {
		.assets = &assets,
		.connections = { .connections = (unsigned int)o->max_connections,
				 .per_peer = (unsigned int)o->max_per_address,
				 .lifetime_ms = o->connection_ms },
		.sessions = { .total = (unsigned int)o->max_sessions,
			      .per_peer = (unsigned int)o->max_per_address,
			      .ttl_ms = o->session_ms },
		.idle_ms = o->idle_ms,
		.fds = fds,
		.fds_n = fds_n,
	};
	memcpy(params.protocol, spoken, sizeof(params.protocol));
	r = server_new(&params, &server, err);
	if (r == 0)
		r = server_run(server, err);
	server_free(server);
	assets_clear(&assets);
	return r;
}

static int run(const struct serve_options *o, struct err **err)
{
	_cleanup_statedir_ struct statedir d = STATEDIR_INIT;
	bool spoken[KBS_0_4_0 + 1] = { false };
	int fds[OPTION_LIST_MAX];
	size_t fds_n = 0;

	if (choose_protocol(o->protocol, spoken, err) < 0 || statedir_open(o->dir ? o->dir : STATEDIR_DEFAULT, &d, err) < 0)
		return -1;
	if (o->user && statedir_check_user(&d, o->user, err) < 0)
		return -1;
	if (raise_file_limit(o->max_connections, err) < 0 || bind_all(&o->listen, fds, &fds_n, err) < 0 ||
	    statedir_become_owner(&d, true, err) < 0)
		return -1;
	return serve(&d, o, spoken, fds, fds_n, err);
}

int cmd_serve(int n, char **args)
{
	struct serve_options o = { .max_connections = 2048, .max_per_address = 256, .max_sessions = 4096,
				   .connection_ms = 60000, .idle_ms = 20000, .session_ms = 300000 };
	const struct option_def defs[] = {
		{ "dir", OPTION_STRING, &o.dir, "DIR", "the directory that init made (" STATEDIR_DEFAULT ")" },
		{ "listen", OPTION_LIST, &o.listen, "ADDRESS:PORT", "where to listen ([::]:8443; repeatable)" },
		{ "user", OPTION_STRING, &o.user, "USER", "insist that DIR belongs to USER, whom the server becomes" },
		{ "cert", OPTION_STRING, &o.paths.cert, "FILE", "certificate chain, PEM (DIR/server.crt)" },
		{ "key", OPTION_STRING, &o.paths.key, "FILE", "its private key, PEM (DIR/server.key)" },
		{ "policy", OPTION_STRING, &o.paths.policy, "FILE", "release policy (DIR/policy.conf)" },
		{ "ca", OPTION_STRING, &o.paths.ca, "FILE", "chain certificates for evidence without (DIR/ca.pem if any)" },
		{ "store", OPTION_STRING, &o.paths.store, "DIR", "VCEK certificates, Trustee's naming (DIR/kds-store)" },
		{ "test-root", OPTION_LIST, &o.paths.test_roots, "FILE", "trust this root: makes a test server (repeatable)" },
		{ "protocol", OPTION_STRING, &o.protocol, "VERSION", "speak only this one: 0.4.0 or 0.2.0 (both)" },
		{ "session-time", OPTION_DURATION, &o.session_ms, "TIME", "life of a session (5m)", 1000, 3600000 },
		{ "connection-time", OPTION_DURATION, &o.connection_ms, "TIME", "life of a connection (60s)", 500, 3600000 },
		{ "idle-time", OPTION_DURATION, &o.idle_ms, "TIME", "close a silent connection (20s)", 500, 3600000 },
		{ "max-connections", OPTION_U64, &o.max_connections, "N", "open at once (2048)", 1, 65536 },
		{ "max-per-address", OPTION_U64, &o.max_per_address, "N",
		  "connections, and unattested sessions, of one address (256)", 1, 65536 },
		{ "max-sessions", OPTION_U64, &o.max_sessions, "N", "sessions in all (4096)", 1, 1048576 },
		{ NULL },
	};
	struct err *e = NULL;
	bool help;

	if (options_parse(defs, n, args, 0, 0, NULL, &help, &e) < 0)
		return verb_fail(e);
	if (help) {
		options_help(stdout, "serve [--dir DIR] [--listen ADDRESS:PORT]...", help_text, defs);
		return EXIT_DONE;
	}
	return run(&o, &e) < 0 ? verb_fail(e) : EXIT_DONE;
}
