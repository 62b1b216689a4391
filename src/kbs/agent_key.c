/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbs/agent_key.h"

#include <string.h>

#include "kbs/keygen.h"

#define RSA_OF_AUTO KEY_RSA_3072

static bool is_rsa(enum key_type t)
{
	return t == KEY_RSA_2048 || t == KEY_RSA_3072 || t == KEY_RSA_4096;
}

static enum key_type rsa_type(const struct agent_key *k)
{
	return k->choice.automatic ? RSA_OF_AUTO : k->choice.type;
}

static int start(struct agent_key *k, struct err **err)
{
	if (k->gen || (!k->choice.automatic && !is_rsa(k->choice.type)))
		return 0;
	return keygen_start(rsa_type(k), &k->gen, err);
}

int agent_key_start(struct agent_key *k, struct key_choice choice, struct err **err)
{
	memset(k, 0, sizeof(*k));
	k->choice = choice;
	return start(k, err);
}

static int take_rsa(struct agent_key *k, struct deadline d, struct err **err)
{
	if (start(k, err) < 0 || keygen_take(k->gen, d, &k->pair, err) < 0)
		return -1;
	keygen_free(k->gen);
	k->gen = NULL;
	return 0;
}

/* automatic: whatever is there when the evidence is due; the RSA key goes on being made for a later attempt. */
static int choose(struct agent_key *k, bool rsa1_5, struct deadline d, struct err **err)
{
	bool rsa_ready = k->gen && keygen_ready(k->gen);

	if (k->choice.automatic)
		return rsa1_5 || rsa_ready ? take_rsa(k, d, err) : keypair_generate(KEY_EC_P256, &k->pair, err);
	if (is_rsa(k->choice.type))
		return take_rsa(k, d, err);
	if (rsa1_5)
		return err_set(err, ERR_CONFIG, "kbs-key", "the broker speaks protocol 0.1.x, which needs an RSA key");
	return keypair_generate(k->choice.type, &k->pair, err);
}

int agent_key_get(struct agent_key *k, bool rsa1_5, struct deadline d, struct jwk *ret, struct err **err)
{
	struct public_key pub;

	if (k->pair && rsa1_5) {
		/* A P-256 key of an attempt that never left, and now an old server. */
		keypair_public(k->pair, &pub);
		if (!pub.rsa) {
			keypair_free(k->pair);
			k->pair = NULL;
		}
	}
	if (!k->pair && choose(k, rsa1_5, d, err) < 0)
		return -1;
	keypair_public(k->pair, &ret->key);
	ret->alg = !ret->key.rsa ? JWK_ECDH_A256KW : rsa1_5 ? JWK_RSA1_5 : JWK_RSA_OAEP_256;
	return 0;
}

void agent_key_mark_sent(struct agent_key *k)
{
	k->sent = true;
}

int agent_key_renew(struct agent_key *k, struct err **err)
{
	if (!k->sent)
		return 0;
	keypair_free(k->pair);
	k->pair = NULL;
	k->sent = false;
	return start(k, err);
}

void agent_key_clear(struct agent_key *k)
{
	keygen_free(k->gen);
	keypair_free(k->pair);
	memset(k, 0, sizeof(*k));
}
