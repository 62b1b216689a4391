/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * net/ against the kernel, in a network namespace of our own. Where the kernel lets no ordinary user make one the whole
 * program is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/net.h"
#include "tests/unit/netlink_message.h"

#define CHECK(cond)                                                       \
	do {                                                              \
		if (!(cond)) {                                            \
			printf("# line %d: %s\n", __LINE__, #cond);       \
			fflush(stdout);                                   \
			_exit(1);                                         \
		}                                                         \
	} while (0)

static void order(struct message *m)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} answer = { 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	end(m);
	CHECK(send(fd, m->data, m->len, 0) == (ssize_t)m->len);
	CHECK(recv(fd, &answer, sizeof(answer), 0) > 0);
	if (answer.h.nlmsg_type != NLMSG_ERROR || answer.e.error != 0)
		printf("# netlink: %s\n", strerror(-answer.e.error));
	CHECK(answer.h.nlmsg_type == NLMSG_ERROR && answer.e.error == 0);
	close(fd);
}

/* Two Ethernet ends; both up means carrier. */
static void make_veth(void)
{
	struct ifinfomsg h = { .ifi_family = AF_UNSPEC }, peer = h;
	struct message m;
	size_t info, data, at;

	begin(&m, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1, &h, sizeof(h));
	open_attr(&m, IFLA_IFNAME, "v0", 3);
	info = open_attr(&m, IFLA_LINKINFO, NULL, 0);
	open_attr(&m, IFLA_INFO_KIND, "veth", 5);
	data = open_attr(&m, IFLA_INFO_DATA, NULL, 0);
	at = open_attr(&m, VETH_INFO_PEER, &peer, sizeof(peer));
	open_attr(&m, IFLA_IFNAME, "v1", 3);
	close_attr(&m, at);
	close_attr(&m, data);
	close_attr(&m, info);
	order(&m);
}

static void link_up(const char *name)
{
	struct ifinfomsg h = { .ifi_index = (int)if_nametoindex(name), .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct message m;

	begin(&m, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, &h, sizeof(h));
	order(&m);
}

static void add_address(const char *name, const char *text)
{
	struct ifaddrmsg h = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = if_nametoindex(name) };
	struct message m;
	uint8_t raw[4];

	CHECK(inet_pton(AF_INET, text, raw) == 1);
	begin(&m, RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 1, &h, sizeof(h));
	open_attr(&m, IFA_LOCAL, raw, 4);
	open_attr(&m, IFA_ADDRESS, raw, 4);
	order(&m);
}

static void add_default(const char *via)
{
	struct rtmsg h = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT, .rtm_type = RTN_UNICAST };
	struct message m;
	uint8_t raw[4];

	CHECK(inet_pton(AF_INET, via, raw) == 1);
	begin(&m, RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 1, &h, sizeof(h));
	open_attr(&m, RTA_GATEWAY, raw, 4);
	order(&m);
}

static bool own_network(void)
{
	return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

static void in_namespace(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		CHECK(own_network());
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void watch_it_come_up(void)
{
	struct net_facts f;

	CHECK(net_probe(&f, NULL) == 0);
	CHECK(strcmp(net_missing(&f, NET_ANY), "no link") == 0);
	link_up("lo");
	CHECK(net_probe(&f, NULL) == 0 && !f.link_up && !f.path[NET_ANY].address && !f.path[NET_ANY].route);
	make_veth();
	link_up("v0");
	CHECK(net_probe(&f, NULL) == 0 && !f.link_up); /* no carrier yet */
	link_up("v1");
	CHECK(net_probe(&f, NULL) == 0);
	CHECK(strcmp(net_missing(&f, NET_ANY), "no address") == 0);
	add_address("v0", "10.9.8.7");
	CHECK(net_probe(&f, NULL) == 0);
	CHECK(f.link_up && f.path[NET_ANY].address && f.path[NET_ANY].route && !f.path[NET_ANY].default_route);
	CHECK(strcmp(net_missing(&f, NET_ANY), "") == 0);
	add_default("10.9.8.1");
	CHECK(net_probe(&f, NULL) == 0 && f.path[NET_ANY].default_route);
	CHECK(net_wait_route(NET_ANY, deadline_in_ms(1), &f, NULL) == 0 && f.path[NET_ANY].default_route);
}

static void probing(void **state)
{
	in_namespace(watch_it_come_up);
}

/* Another process makes the network while we wait: the wait ends soon after the default route is there. */
static void wait_for_gateway(void)
{
	struct net_facts f;
	uint64_t from = clock_ns();
	int status;
	pid_t pid;

	make_veth();
	pid = fork();
	if (pid == 0) {
		usleep(50000);
		link_up("v0");
		link_up("v1");
		add_address("v0", "10.9.8.7");
		usleep(50000);
		add_default("10.9.8.1");
		_exit(0);
	}
	CHECK(net_wait_route(NET_ANY, deadline_in_ms(20000), &f, NULL) == 0);
	CHECK(f.path[NET_ANY].default_route);
	CHECK(clock_ns() - from < 1500 * NSEC_PER_MSEC);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void wait_without_gateway(void)
{
	struct net_facts f;
	uint64_t from = clock_ns();

	make_veth();
	link_up("v0");
	link_up("v1");
	add_address("v0", "10.9.8.7");
	CHECK(net_wait_route(NET_ANY, deadline_in_ms(20000), &f, NULL) == 0);
	CHECK(f.path[NET_ANY].route && !f.path[NET_ANY].default_route);
	CHECK(clock_ns() - from >= 2000 * NSEC_PER_MSEC && clock_ns() - from < 5000 * NSEC_PER_MSEC);
}

static void wait_for_nothing(void)
{
	struct net_facts f = { .path[NET_ANY].route = true };
	uint64_t from = clock_ns();

	CHECK(net_wait_route(NET_ANY, deadline_in_ms(100), &f, NULL) == 0);
	CHECK(!f.path[NET_ANY].route && clock_ns() - from >= 100 * NSEC_PER_MSEC);
}

/* A gain ends a pause, a network that stays as it was does not. */
static void wait_for_gain(void)
{
	struct net_facts f;
	uint64_t from = clock_ns();
	bool more = true;
	int status;
	pid_t pid;

	make_veth();
	link_up("v0");
	CHECK(net_probe(&f, NULL) == 0);
	CHECK(net_wait_gain(&f, deadline_in_ms(100), &more, NULL) == 0 && !more);
	CHECK(clock_ns() - from >= 100 * NSEC_PER_MSEC);
	pid = fork();
	if (pid == 0) {
		usleep(50000);
		link_up("v1");
		_exit(0);
	}
	CHECK(net_wait_gain(&f, deadline_in_ms(20000), &more, NULL) == 0 && more);
	CHECK(clock_ns() - from < 1500 * NSEC_PER_MSEC);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	/* Compared with what was seen last, not with now: what came in between counts. */
	CHECK(net_wait_gain(&f, deadline_in_ms(20000), &more, NULL) == 0 && more);
	CHECK(net_probe(&f, NULL) == 0);
	add_address("v0", "10.9.8.7");
	CHECK(net_wait_gain(&f, deadline_in_ms(20000), &more, NULL) == 0 && more);
	/* Less is no news worth an attempt. */
	CHECK(net_probe(&f, NULL) == 0);
	f.path[NET_IPV6].address = f.path[NET_IPV6].route = true;
	CHECK(net_wait_gain(&f, deadline_in_ms(50), &more, NULL) == 0 && !more);
}

/* An IPv4 network is none for a broker at an IPv6 address. */
static void wait_for_the_other(void)
{
	struct net_facts f;

	make_veth();
	link_up("v0");
	link_up("v1");
	add_address("v0", "10.9.8.7");
	add_default("10.9.8.1");
	CHECK(net_wait_route(NET_IPV4, deadline_in_ms(1), &f, NULL) == 0 && f.path[NET_IPV4].default_route);
	CHECK(net_wait_route(NET_IPV6, deadline_in_ms(50), &f, NULL) == 0 && !f.path[NET_IPV6].default_route);
	CHECK(strcmp(net_missing(&f, NET_IPV6), "") != 0);
}

static void on_alarm(int sig)
{
	clock_cancel();
}

static void wait_cancelled(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval t = { .it_value = { .tv_usec = 50000 } };
	struct net_facts f;
	struct err *e = NULL;

	CHECK(clock_cancel_fd() >= 0);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	CHECK(net_wait_route(NET_ANY, deadline_in_ms(0), &f, &e) < 0);
	CHECK(err_class(e) == ERR_TIMEOUT);
	err_free(e);
}

static void waiting(void **state)
{
	in_namespace(wait_for_gateway);
	in_namespace(wait_without_gateway);
	in_namespace(wait_for_nothing);
	in_namespace(wait_for_gain);
	in_namespace(wait_for_the_other);
	in_namespace(wait_cancelled);
}

static bool namespaces_possible(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(own_network() ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(probing), cmocka_unit_test(waiting) };

	if (!namespaces_possible()) {
		printf("1..0 # SKIP this user cannot make a network namespace\n");
		return 0;
	}
	return cmocka_run_group_tests_name("net in a namespace", tests, NULL, NULL);
}
