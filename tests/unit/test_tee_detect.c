/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The CPUID decision tree on made-up processors, and the hints that follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tee/detect.h"
#include "tee_root.h"

struct cpu {
	bool hypervisor;
	const char *vendor; /* 12 bytes as printed */
	uint32_t max, ext_max, sev_leaf;
	bool msr_readable;
	uint64_t sev_status;
	const char *tdx;
	const char *hv;
	uint32_t hv_max, hv_features, hv_isolation;
};

static void put(uint32_t *a, uint32_t *b, uint32_t *c, const char *text)
{
	memcpy(a, text, 4);
	memcpy(b, text + 4, 4);
	memcpy(c, text + 8, 4);
}

static void fake_cpuid(void *ctx, uint32_t leaf, uint32_t sub, uint32_t r[static 4])
{
	const struct cpu *c = ctx;

	memset(r, 0, 16);
	switch (leaf) {
	case 0:
		r[0] = c->max;
		put(&r[1], &r[3], &r[2], c->vendor);
		break;
	case 1:
		r[2] = c->hypervisor ? UINT32_C(1) << 31 : 0;
		break;
	case 0x21:
		if (c->tdx)
			put(&r[1], &r[3], &r[2], c->tdx);
		break;
	case 0x80000000:
		r[0] = c->ext_max;
		break;
	case 0x8000001F:
		r[0] = c->sev_leaf;
		break;
	case 0x40000000:
		r[0] = c->hv_max;
		if (c->hv)
			put(&r[1], &r[2], &r[3], c->hv);
		break;
	case 0x40000003:
		r[1] = c->hv_features;
		break;
	case 0x4000000C:
		r[1] = c->hv_isolation;
		break;
	}
}

static int fake_msr(void *ctx, uint32_t number, uint64_t *ret)
{
	const struct cpu *c = ctx;

	*ret = c->sev_status;
	return number == 0xC0010131 && c->msr_readable ? 0 : -1;
}

#define AMD .hypervisor = true, .vendor = "AuthenticAMD", .max = 16, .ext_max = 0x80000021
#define INTEL .hypervisor = true, .vendor = "GenuineIntel", .max = 0x21
#define HV .hv = "Microsoft Hv", .hv_max = 0x4000000C

static void tree(void **state)
{
	static const struct {
		struct cpu cpu;
		enum cpu_verdict want;
	} t[] = {
		{ { .vendor = "AuthenticAMD", .ext_max = 0x80000021, .sev_leaf = 2 }, CPU_BARE_METAL },
		{ { .hypervisor = true, .vendor = "HygonGenuine" }, CPU_PLAIN_VM },
		{ { AMD, .sev_leaf = 2, .msr_readable = true, .sev_status = 7 }, CPU_SNP },
		{ { AMD, .sev_leaf = 2, .msr_readable = true, .sev_status = 4 }, CPU_SNP },
		{ { AMD, .sev_leaf = 2, .msr_readable = true, .sev_status = 3 }, CPU_SEV },
		{ { AMD, .sev_leaf = 2, .msr_readable = true }, CPU_PLAIN_VM },
		{ { AMD, .sev_leaf = 2, .sev_status = 7 }, CPU_SEV_HIDDEN },
		{ { AMD, .sev_leaf = 1, .msr_readable = true, .sev_status = 7 }, CPU_PLAIN_VM },
		{ { .hypervisor = true, .vendor = "AuthenticAMD", .ext_max = 0x8000001E, .sev_leaf = 2, .msr_readable = true,
		    .sev_status = 7 },
		  CPU_PLAIN_VM },
		{ { AMD, HV, .hv_features = 1u << 22, .hv_isolation = 2 }, CPU_HYPERV_SNP },
		{ { INTEL, HV, .hv_features = 1u << 22, .hv_isolation = 3 }, CPU_HYPERV_TDX },
		{ { INTEL, HV, .hv_features = 1u << 22, .hv_isolation = 0xF1 }, CPU_HYPERV_VBS },
		{ { INTEL, HV, .hv_features = 1u << 22, .hv_isolation = 0 }, CPU_PLAIN_VM },
		{ { INTEL, HV, .hv_features = (1u << 22) | (1u << 12), .hv_isolation = 3 }, CPU_PLAIN_VM },
		{ { INTEL, HV, .hv_features = 0, .hv_isolation = 3 }, CPU_PLAIN_VM },
		{ { INTEL, .hv = "KVMKVMKVM\0\0\0", .hv_max = 0x4000000C, .hv_features = 1u << 22, .hv_isolation = 3 },
		  CPU_PLAIN_VM },
		{ { INTEL, .hv = "Microsoft Hv", .hv_max = 0x40000004, .hv_features = 1u << 22, .hv_isolation = 3 }, CPU_PLAIN_VM },
		{ { INTEL, .tdx = "IntelTDX    " }, CPU_TDX },
		{ { INTEL, .tdx = "IntelTDX\0\0\0\0" }, CPU_PLAIN_VM },
		{ { .hypervisor = true, .vendor = "GenuineIntel", .max = 0x20, .tdx = "IntelTDX    " }, CPU_PLAIN_VM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct cpu cpu = t[i].cpu;
		struct cpu_source src = { .cpuid = fake_cpuid, .msr = fake_msr, .ctx = &cpu };

		if (detect_cpu(&src) != t[i].want)
			fail_msg("case %zu: %s", i, detect_text(detect_cpu(&src)));
	}
}

static void hints(void **state)
{
	struct tee_root *t = *state;

	assert_non_null(strstr(detect_hint(&t->env, CPU_SNP), "sev-guest"));
	assert_non_null(strstr(detect_hint(&t->env, CPU_SEV_HIDDEN), "CONFIG_SEV_GUEST"));
	assert_non_null(strstr(detect_hint(&t->env, CPU_TDX), "CONFIG_TDX_GUEST_DRIVER"));
	assert_non_null(strstr(detect_hint(&t->env, CPU_HYPERV_SNP), "vTPM"));
	assert_non_null(strstr(detect_hint(&t->env, CPU_PLAIN_VM), "not a confidential"));
	tee_root_dir(t, "sys/devices/system/cpu/sev");
	tee_root_file(t, "sys/devices/system/cpu/sev/vmpl", "0\n", 2);
	assert_non_null(strstr(detect_hint(&t->env, CPU_PLAIN_VM), "sev-guest"));
	tee_root_dir(t, "sys/devices/virtual/misc/tdx_guest");
	assert_non_null(strstr(detect_hint(&t->env, CPU_PLAIN_VM), "CONFIG_TSM_REPORTS"));
}

/* Whatever this machine is, asking it must not fail, and every verdict has a text of its own. */
static void this_machine(void **state)
{
	struct tee_root *t = *state;

	for (int v = CPU_UNKNOWN; v <= CPU_HYPERV_TDX; v++)
		for (int w = CPU_UNKNOWN; w < v; w++)
			assert_string_not_equal(detect_text(v), detect_text(w));
	assert_in_range(detect_this_cpu(t->env.root_fd), CPU_UNKNOWN, CPU_HYPERV_TDX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tee_root_setup, tee_root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tree), TEST(hints), TEST(this_machine) };

	return cmocka_run_group_tests_name("tee_detect", tests, NULL, NULL);
}
