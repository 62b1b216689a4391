/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Inside verify/policy*.c only: a rule as parsed, and the tables that parser, judge and printer share. */
#ifndef CRYPTATTEST_VERIFY_POLICY_RULE_H
#define CRYPTATTEST_VERIFY_POLICY_RULE_H

#include "verify/policy.h"
#include "wire/tcb_floor.h"

#define PIN_MAX 64 /* longest field: CHIP_ID */

/* A byte field of the evidence that a rule can pin. */
struct policy_field {
	const char *name;
	enum tee_kind tee;
	size_t len, offset; /* within struct verdict */
	bool never_zero;
};
extern const struct policy_field policy_fields[]; /* ends with a NULL name */

/* A dangerous property that is denied unless the rule says `NAME = allow`. */
enum policy_override {
	OVERRIDE_DEBUG = 1 << 0,
	OVERRIDE_MIGRATION_AGENT = 1 << 1,
	OVERRIDE_VLEK = 1 << 2,
	OVERRIDE_MASKED_CHIP_ID = 1 << 3,
	OVERRIDE_MIGRATABLE = 1 << 4,
};
struct policy_danger {
	const char *name;
	enum policy_override bit;
	enum tee_kind tee; /* TEE_NONE: both */
	const char *meaning;
};
extern const struct policy_danger policy_dangers[]; /* ends with a NULL name */
/* Which of them this evidence has. */
unsigned int policy_dangers_of(const struct verdict *v);

struct policy_pin {
	const struct policy_field *field;
	uint8_t value[PIN_MAX];
	unsigned int line;
};

#define GENERATIONS (SNP_VENICE + 1)

struct policy_rule {
	char *pattern;
	unsigned int line;
	enum tee_kind tee; /* TEE_NONE until the key was seen */
	struct policy_pin *pins;
	size_t n_pins;
	unsigned int vmpls;	   /* bit n: VMPL n; 0 = only 0 */
	unsigned int overrides;	   /* enum policy_override */
	unsigned int floors;	   /* bit per enum snp_generation with a line */
	struct snp_tcb floor[GENERATIONS];
	bool tcb_none, tcb_unverified, bind_init_data, shared, test;
	char covers[64];
	/* Lines of keys that stand once, 0 when absent; for "twice" and for keys of the other TEE. */
	unsigned int tee_line, vmpl_line, min_tcb_line, tcb_line, bind_line, shared_line, covers_line, test_line;
	unsigned int override_line[5];
};

struct policy {
	char *file;
	struct policy_rule **rules; /* file order */
	size_t n;
};

/* One `key = value` into the rule; ERR_CONFIG without position. */
int policy_rule_set(struct policy_rule *r, const char *key, const char *value, unsigned int line, struct err **err);
/* What makes a rule complete. ERR_CONFIG with "FILE:LINE: ". */
int policy_rule_check(const struct policy_rule *r, const char *file, struct err **err);
/* Three segments, each a name or (in a pattern) `*`. */
bool policy_resource_ok(const char *s, bool pattern);
bool policy_pattern_matches(const char *pattern, const char *resource);

/* "milan bootloader:4 tee:0 snp:24 microcode:219", as min-tcb has it. */
void policy_put_tcb(struct buf *out, enum snp_generation g, const struct snp_tcb *t);
const char *policy_generation_word(enum snp_generation g); /* "milan" */
/* The rule of policy_from_evidence(), for servers with a test root too. */
void policy_suggest(const char *resource, const struct verdict *v, bool test, struct buf *out);

#endif
