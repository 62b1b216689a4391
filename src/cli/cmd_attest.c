/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* attest: handshake only. The token is the broker's; what it says is shown, not believed. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/cli.h"
#include "keysrc/keysrc.h"
#include "state/state.h"
#include "unlock/exitcode.h"
#include "wire/ear_token.h"
#include "wire/json.h"

static const struct config_kbs *choose(struct cli *cli, struct err **err)
{
	const struct config_kbs *k;

	if (!cli->config->kbs[0]) {
		err_set(err, ERR_NOTHING, "no-kbs", "no key broker configured");
		err_hint(err, "add a [kbs NAME] section, see cryptattest.conf(5)");
		return NULL;
	}
	if (!cli->opts.source)
		return cli->config->kbs[0];
	k = config_find_kbs(cli->config, cli->opts.source);
	if (!k)
		err_set(err, ERR_CONFIG, "usage", "no [kbs %s] section", cli->opts.source);
	return k;
}

static json_t *report(const struct cli *cli, const struct kbs_session *s)
{
	json_t *claims = NULL;

	if (kbs_session_token(s))
		ear_token_peek(kbs_session_token(s), &claims, NULL);
	return json_pack("{s:i, s:s, s:s, s:s, s:s?, s:I, s:o?}", "version", 1, "result", "attested", "url", kbs_session_url(s),
			 "protocol", kbs_protocol_name(kbs_session_protocol(s)), "server_pin", kbs_session_peer(s), "total_ms",
			 (json_int_t)events_total_ms(cli->events), "token_claims_not_verified_here", claims);
}

static int print(const struct cli *cli, const struct kbs_session *s)
{
	json_t *r = report(cli, s), *claims;
	char *text = NULL;
	int code;

	if (!r)
		return EXIT_INTERNAL;
	claims = json_object_get(r, "token_claims_not_verified_here");
	if (cli->opts.json)
		text = json_dumps(r, JSON_INDENT(1));
	else if (claims && json_is_object(claims))
		text = json_dumps(claims, JSON_INDENT(1));
	if (!cli->opts.json) {
		printf("attested by %s, protocol %s, %llu ms\n", kbs_session_url(s), kbs_protocol_name(kbs_session_protocol(s)),
		       (unsigned long long)events_total_ms(cli->events));
		printf("server key  %s\n", kbs_session_peer(s) ? kbs_session_peer(s) : "-");
		printf("token claims (not verified here):\n");
	}
	code = cli_put(text ? text : "none");
	free(text);
	json_decref(r);
	return code;
}

int cmd_attest(struct cli *cli)
{
	const struct config_kbs *kbs;
	struct key_source *src = NULL;
	struct unlock_env env;
	_cleanup_close_ int lock = -1;
	struct err *err = NULL;
	struct deadline d;
	int code;

	if (cli_need_config(cli, &err) < 0)
		return cli_fail(err);
	kbs = choose(cli, &err);
	if (!kbs)
		return cli_fail(err);
	env = cli_env(cli);
	d = deadline_in_ms(cli->config->deadline_ms);
	if (state_lock(cli->root_fd, d, &lock, &err) < 0)
		return cli_fail(err);
	if (unlock_attest(&env, kbs, d, &src, &err) < 0) {
		err_wrap(&err, "kbs %s", kbs->name);
		code = cli_fail(err);
	} else {
		code = print(cli, keysrc_kbs_session(src));
	}
	keysrc_free(src);
	return code;
}
