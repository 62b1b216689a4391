/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The policy grammar, and what makes a rule complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/unit/policy_machines.h"
#include "verify/policy_rule.h"

static const char *const accepted[] = {
	"",
	"# nothing but a comment\n[X-notes]\nfree = text\n",
	SNP_RULE,
	TDX_RULE,
	SNP_RULE TDX_RULE SNP_RULE,
	"[resource */*/*]\ntee = snp\n" MEAS HOSTD TCB COV,
	"[resource default/*/root]\ntee = snp\n" MEAS "bind = init-data\n" TCB COV,
	RES "covers = kernel+initrd+cmdline\nmin-tcb = none\nX-owner = me\nshared = yes\nmeasurement = " H48("A1") "\ntee = snp\n",
	RES "tee = snp\n" MEAS "report-id = " H32("a3") "\n" TCB COV,
	RES "tee = snp\n" MEAS "chip-id = " H64("a4") "\n" TCB COV,
	RES "tee = snp\n" MEAS "id-key-digest = " H48("a7") "\nfamily-id = " H16("a5") "\n" TCB COV,
	RES "tee = snp\nid-key-digest = " H48("a7") "\nimage-id = " H16("a6") "\n" TCB COV,
	SNP_RULE "min-tcb = genoa bootloader:1 tee:2 snp:3 microcode:4\nmin-tcb = turin fmc:1 bootloader:1 tee:2 snp:3 microcode:4\n"
		 "min-tcb = venice microcode:4 snp:255 tee:2 bootloader:1 fmc:0\n",
	SNP_RULE "vmpl = 0\nvmpl = 3\ndebug = allow\nmigration-agent = allow\nvlek = allow\nmasked-chip-id = allow\ntest = yes\nshared = no\n",
	TDX_RULE "rtmr0 = " H48("c0") "\nrtmr3 = " H48("00") "\nmrowner = " H48("00") "\nmrownerconfig = " H48("b4")
		 "\ndebug = allow\nmigratable = allow\n",
	RES "tee = tdx\nmrtd = " H48("b1") "\nmrconfigid = " H48("b2") "\nrtmr1 = " H48("c1") "\nrtmr2 = " H48("c2")
	    "\ntcb = unverified\ncovers = firmware\n",
};

static const struct {
	const char *text, *want;
} refused[] = {
	{ "[resources a/b/c]\n", "p:1: unknown section [resources a/b/c], did you mean [resource NAME]?" },
	{ "[agent]\n", "p:1: unknown section [agent]; allowed: [resource NAME], [X-anything]" },
	{ "[resource]\n", "p:1: [resource]: a resource is repository/type/tag; * stands for exactly one whole of the three" },
	{ "[resource a/b]\n", "p:1: [resource a/b]: a resource is repository/type/tag; * stands for exactly one whole of the three" },
	{ "[resource a/b/c/d]\n", "p:1: [resource a/b/c/d]: a resource is repository/type/tag; * stands for exactly one whole of the three" },
	{ "[resource a/b/]\n", "p:1: [resource a/b/]: a resource is repository/type/tag; * stands for exactly one whole of the three" },
	{ "[resource a/b*/c]\n", "p:1: [resource a/b*/c]: a resource is repository/type/tag; * stands for exactly one whole of the three" },
	{ "[resource a/**/c]\n", "p:1: [resource a/**/c]: a resource is repository/type/tag; * stands for exactly one whole of the three" },
	{ "[resource a/../c]\n", "p:1: [resource a/../c]: a resource is repository/type/tag; * stands for exactly one whole of the three" },
	{ "[resource kbs:///a/b/c]\n",
	  "p:1: [resource kbs:///a/b/c]: a resource is repository/type/tag; * stands for exactly one whole of the three" },
	{ RES "mesurement = 00\n", "p:2: unknown key \"mesurement\", did you mean \"measurement\"?" },
	{ RES "password = 00\n", "p:2: unknown key \"password\"" },
	{ RES "tee = sev\n", "p:2: tee = sev: allowed: snp, tdx" },
	{ RES "tee = snp\ntee = snp\n", "p:3: tee stands twice in this rule, first in line 2" },
	{ RES "measurement = a1\n", "p:2: measurement = a1: 96 hex digits are wanted" },
	{ RES "host-data = " H32("g0") "\n", "p:2: host-data = " H32("g0") ": 64 hex digits are wanted" },
	{ RES "measurement =\n", "p:2: measurement = : 96 hex digits are wanted" },
	{ RES "measurement = " H48("00") "\n", "p:2: measurement: all zero names nothing" },
	{ RES "id-key-digest = " H48("00") "\n", "p:2: id-key-digest: all zero names nothing" },
	{ RES "chip-id = " H64("00") "\n", "p:2: chip-id: all zero names nothing" },
	{ RES "vmpl = 4\n", "p:2: vmpl = 4: allowed: 0 to 3" },
	{ RES "min-tcb = rome bootloader:1 tee:1 snp:1 microcode:1\n",
	  "p:2: min-tcb = rome bootloader:1 tee:1 snp:1 microcode:1: allowed: none, or milan, genoa, turin or venice with its components" },
	{ RES "min-tcb = milan\n", "p:2: min-tcb = milan: allowed: bootloader, tee, snp and microcode, each NAME:0..255" },
	{ RES "min-tcb = milan bootloader:1 tee:1 snp:1\n",
	  "p:2: min-tcb = milan bootloader:1 tee:1 snp:1: allowed: bootloader, tee, snp and microcode, each NAME:0..255" },
	{ RES "min-tcb = milan fmc:1 bootloader:1 tee:1 snp:1 microcode:1\n",
	  "p:2: min-tcb = milan fmc:1 bootloader:1 tee:1 snp:1 microcode:1: allowed: bootloader, tee, snp and microcode, each NAME:0..255" },
	{ RES "min-tcb = turin bootloader:1 tee:1 snp:1 microcode:1\n",
	  "p:2: min-tcb = turin bootloader:1 tee:1 snp:1 microcode:1: allowed: fmc, bootloader, tee, snp and microcode, each NAME:0..255" },
	{ RES "min-tcb = milan bootloader:1 tee:1 snp:1 snp:1\n",
	  "p:2: min-tcb = milan bootloader:1 tee:1 snp:1 snp:1: allowed: bootloader, tee, snp and microcode, each NAME:0..255" },
	{ RES "min-tcb = milan bootloader:1 tee:1 snp:256 microcode:1\n",
	  "p:2: min-tcb = milan bootloader:1 tee:1 snp:256 microcode:1: allowed: bootloader, tee, snp and microcode, each NAME:0..255" },
	{ SNP_RULE TCB, "p:7: min-tcb for milan stands twice in this rule" },
	{ SNP_RULE "min-tcb = none\n", "p:7: min-tcb = none together with a floor" },
	{ RES "covers = FILL-IN\n", "p:2: covers = FILL-IN: say what the pinned values cover on your platform" },
	{ RES "covers = kernel\n", "p:2: covers = kernel: allowed: kernel+initrd+cmdline, firmware" },
	{ RES "debug = yes\n", "p:2: debug = yes: allowed: allow (without the key it is denied)" },
	{ RES "vlek = deny\n", "p:2: vlek = deny: allowed: allow (without the key it is denied)" },
	{ RES "vlek = allow\nvlek = allow\n", "p:3: vlek stands twice in this rule, first in line 2" },
	{ RES "bind = host-data\n", "p:2: bind = host-data: allowed: init-data" },
	{ RES "shared = maybe\n", "p:2: shared = maybe: allowed: yes, no" },
	{ RES "test = 2\n", "p:2: test = 2: allowed: yes, no" },
	{ RES "tcb = ok\n", "p:2: tcb = ok: allowed: unverified" },
	/* complete rules only */
	{ RES, "p:1: no tee; say tee = snp or tee = tdx" },
	{ SNP_RULE RES "tee = snp\n", "p:7: no covers; say what the pinned values cover: covers = kernel+initrd+cmdline" },
	{ RES "tee = snp\n" MEAS HOSTD COV, "p:1: no min-tcb; give one line per processor generation, or min-tcb = none" },
	{ RES "tee = snp\n" HOSTD TCB COV, "p:1: no measurement (nor id-key-digest): any guest would be accepted" },
	{ RES "tee = snp\n" MEAS HOSTD TCB "covers = firmware\n",
	  "p:6: covers = firmware: the host could change the initrd; snp rules need kernel+initrd+cmdline" },
	{ RES "tee = snp\n" MEAS TCB COV,
	  "p:1: every machine that runs this image would get the secret: pin host-data, report-id, chip-id, or family-id or image-id "
	  "with id-key-digest, or say bind = init-data or shared = yes" },
	/* a zero among the accepted values is no binding */
	{ RES "tee = snp\n" MEAS HOSTD "host-data = " H32("00") "\n" TCB COV,
	  "p:1: every machine that runs this image would get the secret: pin host-data, report-id, chip-id, or family-id or image-id "
	  "with id-key-digest, or say bind = init-data or shared = yes" },
	{ RES "tee = snp\n" MEAS "family-id = " H16("a5") "\n" TCB COV,
	  "p:1: every machine that runs this image would get the secret: pin host-data, report-id, chip-id, or family-id or image-id "
	  "with id-key-digest, or say bind = init-data or shared = yes" },
	{ RES "tee = snp\n" MEAS "id-key-digest = " H48("a7") "\nfamily-id = " H16("00") "\n" TCB COV,
	  "p:1: every machine that runs this image would get the secret: pin host-data, report-id, chip-id, or family-id or image-id "
	  "with id-key-digest, or say bind = init-data or shared = yes" },
	{ RES "tee = snp\n" MEAS "shared = no\n" TCB COV,
	  "p:1: every machine that runs this image would get the secret: pin host-data, report-id, chip-id, or family-id or image-id "
	  "with id-key-digest, or say bind = init-data or shared = yes" },
	{ RES "tee = tdx\nmrconfigid = " H48("b2") "\ntcb = unverified\n" COV, "p:1: no mrtd: any guest would be accepted" },
	{ RES "tee = tdx\nmrtd = " H48("b1") "\nmrconfigid = " H48("b2") "\n" COV,
	  "p:1: no tcb; this release does not judge TDX collateral, so a rule must say tcb = unverified" },
	{ RES "tee = tdx\nmrtd = " H48("b1") "\nmrowner = " H48("b3") "\ntcb = unverified\n" COV,
	  "p:1: every machine that runs this image would get the secret: pin mrconfigid, or say bind = init-data or shared = yes" },
	{ RES "tee = tdx\nmrtd = " H48("b1") "\nmrconfigid = " H48("b2") "\nrtmr1 = " H48("c1") "\ntcb = unverified\ncovers = firmware\n",
	  "p:7: covers = firmware needs rtmr1 and rtmr2, which hold kernel and initrd" },
	/* keys of the other TEE */
	{ SNP_RULE "mrtd = " H48("b1") "\n", "p:7: mrtd belongs into a rule with tee = tdx" },
	{ SNP_RULE "tcb = unverified\n", "p:7: tcb belongs into a rule with tee = tdx" },
	{ SNP_RULE "migratable = allow\n", "p:7: migratable belongs into a rule with tee = tdx" },
	{ TDX_RULE "host-data = " H32("a2") "\n", "p:7: host-data belongs into a rule with tee = snp" },
	{ TDX_RULE "vmpl = 0\n", "p:7: vmpl belongs into a rule with tee = snp" },
	{ TDX_RULE TCB, "p:7: min-tcb belongs into a rule with tee = snp" },
	{ TDX_RULE "vlek = allow\n", "p:7: vlek belongs into a rule with tee = snp" },
};

static struct policy *parse(const char *text, struct err **err)
{
	struct policy *p = NULL;

	return policy_parse("p", text, strlen(text), &p, err) == 0 ? p : NULL;
}

static void accepting(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		_cleanup_err_ struct err *e = NULL;
		struct policy *p = parse(accepted[i], &e);

		if (!p)
			fail_msg("%s in\n%s", err_message(e), accepted[i]);
		policy_free(p);
	}
	policy_free(NULL);
}

static void refusing(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		_cleanup_err_ struct err *e = NULL;
		struct policy *p = parse(refused[i].text, &e);

		if (p)
			fail_msg("accepted\n%s", refused[i].text);
		assert_int_equal(err_class(e), ERR_CONFIG);
		assert_string_equal(err_message(e), refused[i].want);
	}
}

static void counting(void **state)
{
	struct policy *p = parse(SNP_RULE "[X-a]\nb = c\n" TDX_RULE SNP_RULE, NULL);

	assert_int_equal(policy_rules(p), 3);
	assert_string_equal(p->rules[1]->pattern, "default/web/root");
	assert_int_equal(p->rules[1]->line, 9);
	policy_free(p);
}

/* Each single required line missing from a good rule makes it bad. */
static void every_line_counts(void **state)
{
	static const char *const rules[] = { SNP_RULE, TDX_RULE };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const char *line = rules[i];

		while ((line = strchr(line, '\n')) && line[1]) {
			char text[2048];
			const char *next = strchr(++line, '\n') + 1;

			snprintf(text, sizeof(text), "%.*s%s", (int)(line - rules[i]), rules[i], next);
			if (parse(text, NULL))
				fail_msg("accepted without %.*s", (int)(next - line), line);
		}
	}
}

static void patterns(void **state)
{
	static const struct {
		const char *pattern, *resource;
		bool match;
	} t[] = { { "a/b/c", "a/b/c", true },	{ "a/b/c", "a/b/d", false }, { "a/b/c", "a/b/cc", false }, { "a/b/cc", "a/b/c", false },
		  { "*/b/c", "x/b/c", true },	{ "*/b/c", "x/y/c", false }, { "a/*/c", "a/anything.at-all_1/c", true },
		  { "a/*/c", "a/x/y", false },	{ "*/*/*", "x/y/z", true },  { "a/b/*", "a/b/c", true },	{ "A/b/c", "a/b/c", false } };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(policy_pattern_matches(t[i].pattern, t[i].resource), t[i].match);
	assert_true(policy_resource_ok("a/b/c", false));
	assert_true(policy_resource_ok("a/*/c", true));
	assert_false(policy_resource_ok("a/*/c", false));
	assert_false(policy_resource_ok("", false));
	assert_false(policy_resource_ok("a/b", false));
	assert_false(policy_resource_ok("/a/b/c", false));
	assert_false(policy_resource_ok("a/b/c/", false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepting),	     cmocka_unit_test(refusing), cmocka_unit_test(counting),
		cmocka_unit_test(every_line_counts), cmocka_unit_test(patterns),
	};

	return cmocka_run_group_tests_name("policy_parse", tests, NULL, NULL);
}
