/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* net/ without a network: netlink messages as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "net/rdnss.h"
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

/* A router advertisement's option as the kernel passes it on: type 25, length, two reserved, lifetime, addresses. */
static void advertise(struct message *m, uint32_t lifetime, const char *const *addresses)
{
	struct nduseroptmsg h = { .nduseropt_family = AF_INET6, .nduseropt_ifindex = 1, .nduseropt_icmp_type = 134 };
	uint8_t option[8 + 4 * 16] = { 25, 1 };
	size_t len = 8;

	lifetime = htonl(lifetime);
	memcpy(option + 4, &lifetime, 4);
	for (; *addresses; addresses++, len += 16)
		assert_int_equal(inet_pton(AF_INET6, *addresses, option + len), 1);
	option[1] = (uint8_t)(len / 8);
	h.nduseropt_opts_len = (unsigned short)len;
	begin(m, RTM_NEWNDUSEROPT, 0, 0, &h, sizeof(h));
	memcpy(m->data + m->len, option, len);
	m->len += len;
	end(m);
}

static void name_servers(void **state)
{
	struct rdnss list[RDNSS_MAX];
	struct message m;
	char text[64];
	size_t n;

	advertise(&m, 600, (const char *const[]){ "2001:db8::1", "fe80::1", NULL });
	n = rdnss_digest(m.data, m.len, list, 0);
	assert_int_equal(n, 2);
	assert_string_equal(inet_ntop(AF_INET6, &list[0].address, text, sizeof(text)), "2001:db8::1");
	assert_int_equal(list[1].link, 1);
	/* Said twice, there once; taken back; not more than are asked; nonsense is none. */
	assert_int_equal(rdnss_digest(m.data, m.len, list, n), 2);
	advertise(&m, 0, (const char *const[]){ "2001:db8::1", NULL });
	assert_int_equal(rdnss_digest(m.data, m.len, list, n), 1);
	assert_string_equal(inet_ntop(AF_INET6, &list[0].address, text, sizeof(text)), "fe80::1");
	advertise(&m, 600, (const char *const[]){ "2001:db8::1", "2001:db8::2", "2001:db8::3", NULL });
	assert_int_equal(rdnss_digest(m.data, m.len, list, 1), RDNSS_MAX);
	advertise(&m, 600, (const char *const[]){ "::", "ff02::1", NULL });
	assert_int_equal(rdnss_digest(m.data, m.len, list, 0), 0);
	advertise(&m, 600, (const char *const[]){ NULL });
	assert_int_equal(rdnss_digest(m.data, m.len, list, 0), 0);
}

static void no_crash_rdnss(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct rdnss list[RDNSS_MAX];

	assert_true(rdnss_digest(data, len, list, 0) <= RDNSS_MAX);
}

static void name_servers_mutated(void **state)
{
	struct message m;

	advertise(&m, 600, (const char *const[]){ "2001:db8::1", "2001:db8::2", NULL });
	mutate_truncations(m.data, m.len, 1, no_crash_rdnss, NULL);
	mutate_bit_flips(m.data, 0, m.len, m.len, no_crash_rdnss, NULL);
}

static char *resolv_conf(int root)
{
	char *text = NULL;
	size_t len;

	return file_read(root, "etc/resolv.conf", 4096, ERR_INTERNAL, &text, &len, NULL) == 0 ? text : NULL;
}

/* The kernel's part is played by a socket pair: a datagram without a sender is the kernel's. */
static void resolv_conf_written(void **state)
{
	char folder[] = "/tmp/test_net.XXXXXX";
	struct message m;
	int pair[2], root;
	char *text;

	assert_non_null(mkdtemp(folder));
	root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0 && mkdirat(root, "etc", 0755) == 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	/* Nothing was said: no file. */
	assert_int_equal(net_rdnss_write(pair[0], root, NULL), 0);
	assert_null(resolv_conf(root));
	advertise(&m, 600, (const char *const[]){ "2001:db8::1", "fe80::1", NULL });
	assert_int_equal(send(pair[1], m.data, m.len, 0), m.len);
	assert_int_equal(net_rdnss_write(pair[0], root, NULL), 0);
	text = resolv_conf(root);
	assert_string_equal(text, "nameserver 2001:db8::1\nnameserver fe80::1%lo\n");
	free(text);
	/* One that is there is left alone. */
	advertise(&m, 600, (const char *const[]){ "2001:db8::2", NULL });
	assert_int_equal(send(pair[1], m.data, m.len, 0), m.len);
	assert_int_equal(net_rdnss_write(pair[0], root, NULL), 0);
	text = resolv_conf(root);
	assert_null(strstr(text, "2001:db8::2"));
	free(text);
	unlinkat(root, "etc/resolv.conf", 0);
	unlinkat(root, "etc", AT_REMOVEDIR);
	rmdir(folder);
	close(root);
	close(pair[0]);
	close(pair[1]);
}


int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links),	    cmocka_unit_test(addresses), cmocka_unit_test(routes),
		cmocka_unit_test(control_messages), cmocka_unit_test(mutations), cmocka_unit_test(missing),
		cmocka_unit_test(name_servers), cmocka_unit_test(name_servers_mutated), cmocka_unit_test(resolv_conf_written),
	};

	return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
