/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Objects that open and are still not ours (C4): fixedTPM, fixedParent and the exact policy prove nothing about who sealed. Each is shown
 * to open when nobody asks for its origin, and to be refused with the reason when somebody does.
 */
#include "tests/lib/vtpm_boot.h"

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "vtpm/nv.h"
#include "vtpm/nv_pin.h"
#include "vtpm/origin.h"
#include "vtpm/policy_run.h"
#include "vtpm/seal.h"
#include "vtpm/state.h"

#define PIN_INDEX 0x01800103
#define EVIL_SECRET "the secret that the attacker uses"

struct machine {
	struct swtpm *s;
	struct tpm_name primary;
	struct vtpm_rules r;
	struct sealed_blob b;
	uint8_t policy[POLICY_DIGEST]; /* of the good state; anybody can compute it */
	uint32_t creation_mask;
};

static int setup(void **state)
{
	static struct machine m;
	struct vtpm_state s;
	struct vtpm *v;

	memset(&m, 0, sizeof(m));
	m.s = boot_machine(&m.primary);
	m.r = boot_rules();
	v = boot_open(swtpm_access(m.s), &m.primary);
	boot_seal(v, &m.r, NULL, &m.b);
	assert_ok(vtpm_state_read(v, &m.r, NULL, 0, &s, &_err));
	assert_ok(policy_digest(&s.policy, m.policy, &_err));
	m.creation_mask = s.creation_mask;
	vtpm_state_clear(&s);
	vtpm_close(v);
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	sealed_blob_clear(&m->b);
	swtpm_stop(m->s);
	return 0;
}

static struct secret *evil_payload(void)
{
	struct sealed_payload p = boot_payload();
	struct secret *bytes = NULL;

	memcpy(secret_data(p.secret), EVIL_SECRET, SEALED_SECRET_LEN);
	assert_ok(sealed_payload_encode(&p, &bytes, &_err));
	sealed_payload_clear(&p);
	return bytes;
}

/* Replaces the object in the file by one that the attacker sealed in the state that the machine is in, for the good state. */
static void seal_evil(struct machine *m)
{
	_cleanup_secret_ struct secret *bytes = evil_payload();
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	struct sealed_bytes *const parts[] = { &m->b.pub, &m->b.priv, &m->b.creation_data, &m->b.creation_ticket };
	struct seal_result made;

	assert_ok(seal_create(v->t, m->policy, bytes, NULL, PCR_SHA256, m->creation_mask, &made, &_err));
	vtpm_close(v);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		free(parts[i]->data);
	m->b.pub = made.pub;
	m->b.priv = made.priv;
	m->b.creation_data = made.creation_data;
	m->b.creation_ticket = made.creation_ticket;
}

static int unseal(struct machine *m, bool need_origin, enum sealed_origin *ret_origin, char ret_first[static 9], struct err **err)
{
	_cleanup_vtpm_ struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	struct sealed_payload p;

	if (vtpm_unseal(v, &m->r, &m->b, NULL, need_origin, false, &p, ret_origin, err) < 0)
		return -1;
	snprintf(ret_first, 9, "%.8s", (const char *)secret_cdata(p.secret) + 24);
	sealed_payload_clear(&p);
	return 0;
}

/* It does open where the configuration vouches for the volume; what comes out is then of no use to the attacker (vk_id). */
static void expect_refused(struct machine *m, const char *word)
{
	_cleanup_err_ struct err *e = NULL;
	enum sealed_origin origin;
	char first[9];

	assert_true(unseal(m, true, &origin, first, &e) < 0);
	assert_int_equal(err_class(e), ERR_TPM);
	assert_string_equal(err_id(e), "sealed-origin");
	if (!strstr(err_message(e), word))
		fail_msg("said \"%s\", expected \"%s\"", err_message(e), word);
	assert_ok(unseal(m, false, &origin, first, &_err));
	assert_int_equal(origin, ORIGIN_UNPROVEN);
}

static void expect_origin(struct machine *m, enum sealed_origin want)
{
	enum sealed_origin origin;
	char first[9];

	assert_ok(unseal(m, true, &origin, first, &_err));
	assert_int_equal(origin, want);
	assert_memory_equal(first, BOOT_SECRET + 24, 8);
}

static void test_other_system(void **state)
{
	struct machine *m = *state;
	enum sealed_origin origin;
	char first[9];

	expect_origin(m, ORIGIN_CREATION);
	boot_system(m->s, "evil system");
	seal_evil(m);
	boot_system(m->s, "system");
	expect_refused(m, "other values when it was made");
	assert_ok(unseal(m, false, &origin, first, &_err));
	assert_memory_equal(first, EVIL_SECRET + 24, 8);
}

static void test_after_the_cap(void **state)
{
	struct machine *m = *state;

	boot_cap(m->s);
	seal_evil(m);
	boot_system(m->s, "system");
	expect_refused(m, "the cap register had moved");
}

/* Creation data can be edited, but then the TPM does not know the ticket; those of another object are not this one's. */
static void test_forged_creation(void **state)
{
	struct machine *m = *state;
	struct sealed_bytes good = m->b.creation_data, ticket = m->b.creation_ticket;
	uint8_t *evil_data, *evil_ticket;
	size_t evil_len, evil_ticket_len;

	m->b.creation_data = m->b.creation_ticket = (struct sealed_bytes){ 0 };
	boot_system(m->s, "evil system");
	seal_evil(m);
	evil_data = m->b.creation_data.data;
	evil_len = m->b.creation_data.len;
	evil_ticket = m->b.creation_ticket.data;
	evil_ticket_len = m->b.creation_ticket.len;
	boot_system(m->s, "system");
	assert_int_equal(evil_len, good.len);
	m->b.creation_data = good; /* the words of the good one ... */
	expect_refused(m, "does not know its creation ticket"); /* ... under the attacker's ticket */
	m->b.creation_ticket = ticket;
	expect_refused(m, "does not know its creation ticket"); /* both of the good one */
	m->b.creation_data = (struct sealed_bytes){ evil_data, evil_len };
	m->b.creation_ticket = (struct sealed_bytes){ evil_ticket, evil_ticket_len };
	free(good.data);
	free(ticket.data);
}

static void test_other_creator(void **state)
{
	struct machine *m = *state;
	enum sealed_origin origin;
	char first[9];

	m->creation_mask &= ~(UINT32_C(1) << BOOT_CAP);
	seal_evil(m);
	expect_refused(m, "other PCRs");
	for (size_t i = 0; i + 11 <= m->b.creation_data.len; i++)
		if (memcmp(m->b.creation_data.data + i, "cryptattest", 11) == 0)
			m->b.creation_data.data[i] = 'C';
	expect_refused(m, "another program");
	/* The null hierarchy's tickets are nobody's. */
	sealed_blob_clear(&m->b);
	boot_seal_now(m->s, &m->primary, &m->r, NULL, &m->b);
	m->b.creation_ticket.data[5] = 0x07; /* TPM_RH_NULL */
	expect_refused(m, "of another hierarchy");
	m->b.creation_ticket.data[5] = 0x01;
	assert_ok(unseal(m, true, &origin, first, &_err));
}

/* Every byte of both parts counts. */
static void test_altered_creation(void **state)
{
	struct machine *m = *state;
	struct sealed_bytes *const parts[] = { &m->b.creation_data, &m->b.creation_ticket };

	for (size_t p = 0; p < ARRAY_SIZE(parts); p++)
		for (size_t i = 0; i < parts[p]->len; i++) {
			_cleanup_err_ struct err *e = NULL;
			enum sealed_origin origin;
			char first[9];

			parts[p]->data[i] ^= 1;
			if (unseal(m, true, &origin, first, &e) == 0 || !text_eq(err_id(e), "sealed-origin"))
				fail_msg("byte %zu of part %zu: %s", i, p, err_message(e));
			parts[p]->data[i] ^= 1;
		}
	expect_origin(m, ORIGIN_CREATION);
}

/*
 * TPM2_Import of an object that was made in software, without an outer wrapper: the sensitive area lies in the clear. What the TPM does
 * not allow is that such an object says fixedTPM or fixedParent.
 */
static TSS2_RC import(struct vtpm *v, const struct secret *data, const uint8_t *policy, TPMA_OBJECT attributes, TPM2B_PUBLIC *pub,
		      TPM2B_PRIVATE **ret)
{
	static const TPMT_SYM_DEF_OBJECT none = { .algorithm = TPM2_ALG_NULL };
	static const TPM2B_DATA no_key = { .size = 0 };
	static const TPM2B_ENCRYPTED_SECRET no_seed = { .size = 0 };
	TPM2B_SENSITIVE sensitive = { .sensitiveArea = { .sensitiveType = TPM2_ALG_KEYEDHASH, .seedValue = { .size = 32 } } };
	TPM2B_PRIVATE duplicate = { 0 };
	uint8_t both[32 + SEAL_DATA_MAX] = { 0 }, unique[DIGEST_MAX];
	size_t len = 0;

	sensitive.sensitiveArea.sensitive.bits.size = (UINT16)secret_len(data);
	memcpy(sensitive.sensitiveArea.sensitive.bits.buffer, secret_cdata(data), secret_len(data));
	memcpy(both + 32, secret_cdata(data), secret_len(data));
	assert_ok(digest_bytes(DIGEST_SHA256, both, 32 + secret_len(data), unique, &_err));
	*pub = (TPM2B_PUBLIC){ .publicArea = { .type = TPM2_ALG_KEYEDHASH,
					       .nameAlg = TPM2_ALG_SHA256,
					       .objectAttributes = attributes,
					       .authPolicy = { .size = POLICY_DIGEST },
					       .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
					       .unique.keyedHash = { .size = 32 } } };
	memcpy(pub->publicArea.authPolicy.buffer, policy, POLICY_DIGEST);
	memcpy(pub->publicArea.unique.keyedHash.buffer, unique, 32);
	assert_int_equal(Tss2_MU_TPM2B_SENSITIVE_Marshal(&sensitive, duplicate.buffer, sizeof(duplicate.buffer), &len), 0);
	duplicate.size = (UINT16)len;
	return Esys_Import(v->t->esys, v->t->primary, session_for(v->t, SESSION_AUTH), ESYS_TR_NONE, ESYS_TR_NONE, &no_key, pub, &duplicate,
			   &no_seed, &none, ret);
}

static void put_object(struct sealed_blob *b, const TPM2B_PUBLIC *pub, const TPM2B_PRIVATE *priv)
{
	uint8_t bytes[SEALED_PART_MAX];
	size_t n = 0;

	free(b->pub.data);
	free(b->priv.data);
	assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Marshal(pub, bytes, sizeof(bytes), &n), 0);
	b->pub = (struct sealed_bytes){ memcpy(malloc(n), bytes, n), n };
	n = 0;
	assert_int_equal(Tss2_MU_TPM2B_PRIVATE_Marshal(priv, bytes, sizeof(bytes), &n), 0);
	b->priv = (struct sealed_bytes){ memcpy(malloc(n), bytes, n), n };
}

static void test_imported(void **state)
{
	struct machine *m = *state;
	_cleanup_secret_ struct secret *bytes = evil_payload(), *out = NULL;
	_cleanup_esys_ TPM2B_PRIVATE *priv = NULL;
	struct vtpm *v = boot_open(swtpm_access(m->s), &m->primary);
	enum sealed_origin origin;
	struct vtpm_state s;
	TPM2B_PUBLIC pub;
	char first[9];

	assert_int_equal(tpm_rc_base(import(v, bytes, m->policy, TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA, &pub, &priv)),
			 TPM2_RC_ATTRIBUTES);
	assert_int_equal(import(v, bytes, m->policy, TPMA_OBJECT_NODA, &pub, &priv), 0);
	/* The TPM would open it. */
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &s, &_err));
	put_object(&m->b, &pub, priv);
	{
		_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(v->t), object = TPM_LOADED(v->t);

		assert_ok(seal_load(v->t, &pub, &m->b.priv, &object, &_err));
		assert_ok(session_policy(v->t, &session, &_err));
		assert_ok(policy_run(v->t, session.tr, &s.policy, &_err));
		assert_ok(seal_unseal(v->t, object.tr, &session, NULL, &out, &_err));
		assert_true(secret_equal(out, bytes));
	}
	vtpm_state_clear(&s);
	vtpm_close(v);
	assert_fails(unseal(m, false, &origin, first, &_err), ERR_TPM, "sealed-attributes");
	assert_fails(unseal(m, true, &origin, first, &_err), ERR_TPM, "sealed-attributes");
	/* A file that says fixedTPM of it: the TPM does not load that. */
	pub.publicArea.objectAttributes |= TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT;
	put_object(&m->b, &pub, priv);
	assert_fails(unseal(m, false, &origin, first, &_err), ERR_TPM, "tpm-replaced");
}

/* An object that a password opens has the right policy too. */
static void test_password_object(void **state)
{
	struct machine *m = *state;
	TPM2B_PUBLIC pub;

	m->b.pub.data[2 + 4 + 3] |= TPMA_OBJECT_USERWITHAUTH;
	assert_fails(seal_check_public(&m->b.pub, false, &pub, &_err), ERR_TPM, "sealed-attributes");
	m->b.pub.data[2 + 4 + 3] &= (uint8_t)~TPMA_OBJECT_USERWITHAUTH;
	assert_ok(seal_check_public(&m->b.pub, false, &pub, &_err));
	assert_fails(seal_check_public(&m->b.pub, true, &pub, &_err), ERR_TPM, "sealed-attributes"); /* noDA, and a PIN */
}

static void strip(struct machine *m)
{
	free(m->b.creation_data.data);
	free(m->b.creation_ticket.data);
	m->b.creation_data = m->b.creation_ticket = (struct sealed_bytes){ 0 };
}

static void seal_with_pin(struct machine *m)
{
	m->r.pin_index = PIN_INDEX;
	sealed_blob_clear(&m->b);
	boot_seal_now(m->s, &m->primary, &m->r, NULL, &m->b);
}

static void test_nv_pin(void **state)
{
	struct machine *m = *state;

	seal_with_pin(m);
	expect_origin(m, ORIGIN_CREATION);
	strip(m);
	expect_origin(m, ORIGIN_NV_PIN);
	boot_system(m->s, "system");
	expect_origin(m, ORIGIN_NV_PIN);
	m->r.pin_index = 0;
	expect_refused(m, "no creation data");
	m->r.pin_index = PIN_INDEX + 1;
	expect_refused(m, "no such index");
	m->r.pin_index = PIN_INDEX;
	boot_system(m->s, "evil system");
	seal_evil(m);
	boot_system(m->s, "system");
	expect_refused(m, "it names other objects");
}

/* Whoever owns the TPM can put an index in its place, but not write it; another policy or other rights do not count. */
static void test_nv_pin_forged(void **state)
{
	struct machine *m = *state;
	struct vtpm_state good, evil;
	struct tpm_name name;
	TPM2B_PUBLIC pub;
	struct vtpm *v;

	seal_with_pin(m);
	strip(m);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &good, &_err));
	assert_ok(seal_check_public(&m->b.pub, false, &pub, &_err));
	assert_ok(tpm_name_of_public(&pub, &name, &_err));
	vtpm_close(v);
	boot_system(m->s, "evil system");
	assert_int_equal(swtpm_sh(m->s, "tpm2_nvundefine 0x01800103"), 0);
	v = boot_open(swtpm_access(m->s), &m->primary);
	/* It defines the index for the good state, as we would, and cannot write it; */
	assert_fails(nv_pin_write(v, &m->r, &good, &name, BOOT_VK_ID, 0, &_err), ERR_TPM, "pcr-changed");
	vtpm_close(v);
	boot_system(m->s, "system");
	expect_refused(m, "never written");
	boot_system(m->s, "evil system");
	assert_int_equal(swtpm_sh(m->s, "tpm2_nvundefine 0x01800103"), 0);
	v = boot_open(swtpm_access(m->s), &m->primary);
	/* for its own state, and writes it; */
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &evil, &_err));
	assert_ok(nv_pin_write(v, &m->r, &evil, &name, BOOT_VK_ID, 0, &_err));
	vtpm_state_clear(&evil);
	vtpm_close(v);
	boot_system(m->s, "system");
	expect_refused(m, "others than this boot state could write it");
	/* or for everybody. */
	assert_int_equal(swtpm_sh(m->s, "tpm2_nvundefine 0x01800103 && "
					"tpm2_nvdefine 0x01800103 -s 436 -a 'ownerwrite|ownerread|authread|no_da' && "
					"head -c 436 /dev/zero | tpm2_nvwrite 0x01800103 -C o -i -"),
			 0);
	expect_refused(m, "others than this boot state could write it");
	vtpm_state_clear(&good);
}

/* Not even the good system can write it once it is capped. */
static void test_nv_pin_after_the_cap(void **state)
{
	struct machine *m = *state;
	struct vtpm_state s;
	struct tpm_name name = { .len = 34 };
	struct nv n = { 0 };
	struct vtpm *v;

	seal_with_pin(m);
	boot_cap(m->s);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &s, &_err));
	assert_fails(nv_pin_write(v, &m->r, &s, &name, BOOT_VK_ID, 0, &_err), ERR_TPM, "pcr-changed");
	/* Without our own values in PolicyPCR the TPM says so itself. */
	assert_ok(nv_find(v->t, PIN_INDEX, &n, &_err));
	{
		_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(v->t);
		TPML_PCR_SELECTION selection;
		uint8_t data[NV_PIN_SIZE] = { 0 };

		assert_ok(session_policy(v->t, &session, &_err));
		seal_selection(PCR_SHA256, s.policy.pcrs, &selection);
		assert_int_equal(Esys_PolicyPCR(v->t->esys, session.tr, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, &selection), 0);
		assert_fails(nv_write(v->t, &n, session.tr, data, sizeof(data), &_err), ERR_TPM, "policy");
	}
	nv_release(&n);
	vtpm_state_clear(&s);
	vtpm_close(v);
	boot_system(m->s, "system");
	strip(m);
	expect_origin(m, ORIGIN_NV_PIN);
}

/* After an update the index is made anew for the new state; somebody else's index is left alone. */
static void test_nv_pin_update(void **state)
{
	struct machine *m = *state;
	struct sealed_blob b;
	struct vtpm *v;

	seal_with_pin(m);
	boot_system(m->s, "new system");
	seal_with_pin(m);
	strip(m);
	expect_origin(m, ORIGIN_NV_PIN);
	boot_system(m->s, "new system");
	expect_origin(m, ORIGIN_NV_PIN);
	assert_int_equal(swtpm_sh(m->s, "tpm2_nvundefine 0x01800103 && tpm2_nvdefine 0x01800103 -s 436 -a 'ownerwrite|ownerread'"), 0);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_fails(boot_seal_err(v, &m->r, NULL, &b, &_err), ERR_TPM, "nv-attributes");
	vtpm_close(v);
}

/* The pin vouches for an object of one volume; a payload that names another is not taken. */
static void test_nv_pin_names_the_volume(void **state)
{
	struct machine *m = *state;
	struct vtpm_state s;
	struct tpm_name name;
	enum sealed_origin origin;
	TPM2B_PUBLIC pub;
	struct vtpm *v;
	char first[9];

	seal_with_pin(m);
	strip(m);
	v = boot_open(swtpm_access(m->s), &m->primary);
	assert_ok(vtpm_state_read(v, &m->r, NULL, 0, &s, &_err));
	assert_ok(seal_check_public(&m->b.pub, false, &pub, &_err));
	assert_ok(tpm_name_of_public(&pub, &name, &_err));
	{
		struct nv n = { 0 };

		assert_ok(nv_find(v->t, PIN_INDEX, &n, &_err));
		assert_ok(nv_undefine(v->t, &n, NULL, &_err));
	}
	assert_ok(nv_pin_write(v, &m->r, &s, &name, BOOT_HEADER_ID, 0, &_err));
	vtpm_state_clear(&s);
	vtpm_close(v);
	assert_fails(unseal(m, true, &origin, first, &_err), ERR_INTEGRITY, "sealed-payload");
}

static void test_nv_pin_entries(void **state)
{
	uint8_t data[NV_PIN_SIZE];
	struct tpm_name name = { .len = 34 };
	char vk_id[65], got[65];

	memset(data, 0xff, sizeof(data)); /* rubbish counts as empty */
	assert_false(nv_pin_get(data, &name, got));
	for (int round = 0; round < 2; round++)
		for (uint8_t i = 0; i < NV_PIN_ENTRIES; i++) {
			memset(vk_id, 'a' + i, 64);
			vk_id[64] = 0;
			name.bytes[5] = (uint8_t)(10 * round + i);
			assert_ok(nv_pin_put(data, vk_id, &name, i, &_err));
			assert_true(nv_pin_get(data, &name, got));
			assert_string_equal(got, vk_id);
		}
	name.bytes[5] = 3; /* replaced in the second round */
	assert_false(nv_pin_get(data, &name, got));
	assert_fails(nv_pin_put(data, BOOT_VK_ID, &name, 0, &_err), ERR_CONFIG, "pin-full");
	assert_true(nv_pin_put(data, "00", &name, 0, NULL) < 0);
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_other_system),	  t(test_after_the_cap),	t(test_forged_creation),
		t(test_other_creator),	  t(test_altered_creation),	t(test_imported),
		t(test_password_object),  t(test_nv_pin),		t(test_nv_pin_forged),
		t(test_nv_pin_after_the_cap), t(test_nv_pin_update),	t(test_nv_pin_names_the_volume),
		cmocka_unit_test(test_nv_pin_entries),
	};

	swtpm_or_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
