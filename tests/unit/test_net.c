/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* net/ without a network: netlink messages as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "net/rtnl.h"
#include "tests/lib/mutate.h"
#include "tests/unit/netlink_message.h"

static struct net_facts digest(const struct message *m, enum rtnl_result want)
{
	struct net_facts f = { 0 };
	int why = 0;

	assert_int_equal(rtnl_digest(m->data, m->len, 7, &f, &why), want);
	return f;
}

static void links(void **state)
{
	static const struct {
		unsigned int flags;
		bool up;
	} t[] = { { 0, false },
		  { IFF_UP, false },
		  { 1 << 16, false },
		  { IFF_UP | 1 << 16, true },
		  { IFF_UP | 1 << 16 | IFF_LOOPBACK, false } };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct ifinfomsg h = { .ifi_index = 2, .ifi_flags = t[i].flags };
		struct message m;

		begin(&m, RTM_NEWLINK, 0, 7, &h, sizeof(h));
		end(&m);
		assert_int_equal(digest(&m, RTNL_MORE).link_up, t[i].up);
	}
}

static void addresses(void **state)
{
	static const struct {
		unsigned char family, scope;
		uint32_t index, flags;
		bool good;
	} t[] = { { AF_INET, RT_SCOPE_UNIVERSE, 2, 0, true },
		  { AF_INET, RT_SCOPE_LINK, 2, 0, false },
		  { AF_INET, RT_SCOPE_HOST, 2, 0, false },
		  { AF_INET, RT_SCOPE_UNIVERSE, 1, 0, false },
		  { AF_INET6, RT_SCOPE_UNIVERSE, 2, 0, true },
		  { AF_INET6, RT_SCOPE_UNIVERSE, 2, IFA_F_TENTATIVE, false },
		  { AF_INET6, RT_SCOPE_UNIVERSE, 2, IFA_F_DADFAILED, false },
		  { AF_INET6, RT_SCOPE_LINK, 2, 0, false } };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct ifaddrmsg h = { .ifa_family = t[i].family, .ifa_scope = t[i].scope, .ifa_index = t[i].index };
		struct message m;

		begin(&m, RTM_NEWADDR, 0, 7, &h, sizeof(h));
		open_attr(&m, IFA_LABEL, "eth0", 5);
		open_attr(&m, IFA_FLAGS, &t[i].flags, 4);
		end(&m);
		assert_int_equal(digest(&m, RTNL_MORE).path[NET_ANY].address, t[i].good);
	}
}

static void routes(void **state)
{
	static const uint8_t ten[16] = { 10 }, zeroconf[4] = { 169, 254 }, fe80[16] = { 0xfe, 0x80 };
	static const struct {
		unsigned char family, dst_len, table, type;
		const uint8_t *dst;
		uint32_t oif;
		bool route, def;
	} t[] = { { AF_INET, 0, RT_TABLE_MAIN, RTN_UNICAST, NULL, 2, true, true },
		  { AF_INET6, 0, RT_TABLE_MAIN, RTN_UNICAST, NULL, 2, true, true },
		  { AF_INET6, 0, RT_TABLE_MAIN, RTN_UNREACHABLE, NULL, 1, false, false },
		  { AF_INET, 8, RT_TABLE_MAIN, RTN_UNICAST, ten, 2, true, false },
		  { AF_INET, 32, RT_TABLE_LOCAL, RTN_LOCAL, ten, 2, false, false },
		  { AF_INET, 32, RT_TABLE_LOCAL, RTN_UNICAST, ten, 2, false, false },
		  { AF_INET, 8, RT_TABLE_MAIN, RTN_UNICAST, ten, 1, false, false },
		  { AF_INET, 16, RT_TABLE_MAIN, RTN_UNICAST, zeroconf, 2, false, false },
		  { AF_INET6, 64, RT_TABLE_MAIN, RTN_UNICAST, fe80, 2, false, false },
		  { AF_UNIX, 0, RT_TABLE_MAIN, RTN_UNICAST, NULL, 2, false, false } };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct rtmsg h = { .rtm_family = t[i].family, .rtm_dst_len = t[i].dst_len, .rtm_table = t[i].table, .rtm_type = t[i].type };
		struct message m;
		struct net_facts f;

		begin(&m, RTM_NEWROUTE, 0, 7, &h, sizeof(h));
		if (t[i].dst)
			open_attr(&m, RTA_DST, t[i].dst, t[i].family == AF_INET6 ? 16 : 4);
		open_attr(&m, RTA_OIF, &t[i].oif, 4);
		end(&m);
		f = digest(&m, RTNL_MORE);
		assert_int_equal(f.path[NET_ANY].route, t[i].route);
		assert_int_equal(f.path[NET_ANY].default_route, t[i].def);
		assert_int_equal(f.path[NET_IPV4].route, t[i].route && t[i].family == AF_INET);
		assert_int_equal(f.path[NET_IPV6].default_route, t[i].def && t[i].family == AF_INET6);
	}
}

static void control_messages(void **state)
{
	struct nlmsgerr e = { .error = -EPERM };
	struct rtmsg h = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST };
	struct message m;
	struct net_facts f = { 0 };
	int why = 0;

	begin(&m, NLMSG_ERROR, 0, 7, &e, sizeof(e));
	end(&m);
	assert_int_equal(rtnl_digest(m.data, m.len, 7, &f, &why), RTNL_ERROR);
	assert_int_equal(why, EPERM);
	begin(&m, NLMSG_DONE, 0, 7, &why, sizeof(why));
	end(&m);
	digest(&m, RTNL_DONE);
	/* The answer to another question is not looked at. */
	begin(&m, RTM_NEWROUTE, 0, 8, &h, sizeof(h));
	end(&m);
	assert_false(digest(&m, RTNL_MORE).path[NET_ANY].route);
}

static void no_crash(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct net_facts f = { 0 };
	int why;

	rtnl_digest(data, len, 7, &f, &why);
}

static void mutations(void **state)
{
	struct rtmsg h = { .rtm_family = AF_INET, .rtm_dst_len = 8, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST };
	struct ifaddrmsg a = { .ifa_family = AF_INET, .ifa_index = 2 };
	struct message m, two;
	uint32_t v = 2;

	begin(&m, RTM_NEWROUTE, 0, 7, &h, sizeof(h));
	open_attr(&m, RTA_DST, "\x0a\0\0\0", 4);
	open_attr(&m, RTA_OIF, &v, 4);
	end(&m);
	begin(&two, RTM_NEWADDR, 0, 7, &a, sizeof(a));
	open_attr(&two, IFA_FLAGS, &v, 4);
	end(&two);
	memcpy(m.data + m.len, two.data, two.len);
	m.len += two.len;
	mutate_truncations(m.data, m.len, 1, no_crash, NULL);
	mutate_bit_flips(m.data, 0, m.len, m.len, no_crash, NULL);
}

static void missing(void **state)
{
	struct net_facts f = { 0 };

	assert_string_equal(net_missing(&f, NET_ANY), "no link");
	assert_string_equal(net_missing(&f, NET_IPV6), "no link");
	f.link_up = true;
	assert_string_equal(net_missing(&f, NET_ANY), "no address");
	f.path[NET_IPV6].address = f.path[NET_ANY].address = true;
	assert_string_equal(net_missing(&f, NET_ANY), "no route");
	f.path[NET_IPV6].route = f.path[NET_ANY].route = true;
	assert_string_equal(net_missing(&f, NET_ANY), "");
	assert_string_equal(net_missing(&f, NET_IPV6), "");
	/* The other kind of network is none for a broker whose address is of this kind. */
	assert_string_equal(net_missing(&f, NET_IPV4), "no IPv4 address");
	f.path[NET_IPV4].address = true;
	assert_string_equal(net_missing(&f, NET_IPV4), "no IPv4 route");
	f.path[NET_IPV4].default_route = true;
	assert_string_equal(net_missing(&f, NET_IPV4), "");
}

/* ---- resolver ---- */

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links),	    cmocka_unit_test(addresses), cmocka_unit_test(routes),
		cmocka_unit_test(control_messages), cmocka_unit_test(mutations), cmocka_unit_test(missing),
	};

	return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
