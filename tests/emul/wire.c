/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The cable between a guest and its network, for faults that QEMU's own network does not have. Ethernet frames come and go by datagram sockets
 * (-netdev dgram), one a frame:
 *
 *	wire FOLDER [dhcp=SECONDS|dhcp=never] [tcp=SECONDS] [dns=NAME=ADDRESS] [vlan=ID]
 *
 * FOLDER/guest.wire and FOLDER/world.wire are ours, guest.qemu and world.qemu are QEMU's.
 *
 *	dhcp	nothing of DHCP passes before so many seconds after the guest asked for the first time, or never
 *	tcp	no connection begins before so many seconds after the first attempt
 *	dns	we answer for this name, over IPv4 and IPv6; other questions find nobody
 *	vlan	the guest's frames have this tag, the world's have none; others are lost
 *
 * Standard output has a line for the first time that each thing happened, with the seconds since we started.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 65536
#define NEVER 1e9
#define ETH_HEADER 14
#define IP_HEADER 20
#define IP6_HEADER 40
#define UDP_HEADER 8
#define DNS_HEADER 12
#define ETH_IPV4 0x0800
#define ETH_IPV6 0x86dd
#define ETH_VLAN 0x8100
#define TCP_SYN 0x02
#define TCP_ACK 0x10

enum event { GUEST_SPEAKS, DHCP_ASKED, DHCP_PASSED, DHCP_ANSWERED, TCP_TRIED, TCP_PASSED, DNS_ASKED, DNS_ANSWERED, EVENTS };
static const char *const event_names[EVENTS] = { "guest speaks",  "dhcp asked", "dhcp passed", "dhcp answered",
						 "tcp tried",	  "tcp passed", "dns asked",   "dns answered" };

struct wire {
	double begun, first[EVENTS]; /* seconds; 0 = not yet */
	double dhcp, tcp;	     /* how long they are held */
	unsigned int vlan;
	char name[256]; /* as in a DNS question */
	size_t name_len;
	uint8_t address[16];
	size_t address_len;
};

struct side {
	int fd;
	struct sockaddr_un peer;
};

struct frame {
	uint8_t *p;
	size_t len;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void note(struct wire *w, enum event e)
{
	if (w->first[e] > 0)
		return;
	w->first[e] = now();
	printf("%.3f %s\n", w->first[e] - w->begun, event_names[e]);
	fflush(stdout);
}

static unsigned int be16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The IPv4 packet in an untagged frame, NULL for anything else. */
static uint8_t *ipv4(struct frame f, uint8_t protocol, size_t least)
{
	uint8_t *ip = f.p + ETH_HEADER;

	if (f.len < ETH_HEADER + IP_HEADER + least || be16(f.p + 12) != ETH_IPV4 || ip[0] != 0x45 || ip[9] != protocol)
		return NULL;
	return ip;
}

static uint8_t *ipv6(struct frame f, uint8_t protocol, size_t least)
{
	uint8_t *ip = f.p + ETH_HEADER;

	if (f.len < ETH_HEADER + IP6_HEADER + least || be16(f.p + 12) != ETH_IPV6 || ip[6] != protocol)
		return NULL;
	return ip;
}

/* Is a hold over, that began with this event? */
static bool over(const struct wire *w, enum event began, double seconds)
{
	return now() - w->first[began] >= seconds;
}

static bool dhcp_passes(struct wire *w, const uint8_t *udp, bool from_guest)
{
	const unsigned int from = be16(udp), to = be16(udp + 2);

	if (!(from == 68 && to == 67) && !(from == 67 && to == 68))
		return true;
	if (from_guest)
		note(w, DHCP_ASKED);
	if (!over(w, DHCP_ASKED, w->dhcp))
		return false;
	note(w, from_guest ? DHCP_PASSED : DHCP_ANSWERED);
	return true;
}

static bool tcp_passes(struct wire *w, const uint8_t *tcp)
{
	if ((tcp[13] & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return true;
	note(w, TCP_TRIED);
	if (!over(w, TCP_TRIED, w->tcp))
		return false;
	note(w, TCP_PASSED);
	return true;
}

static unsigned int fold(unsigned int sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The Internet's sum over these bytes, added to one that there is. */
static unsigned int sum16(const uint8_t *p, size_t n, unsigned int sum)
{
	for (; n > 1; n -= 2, p += 2)
		sum += be16(p);
	return fold(n ? sum + ((unsigned int)p[0] << 8) : sum);
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t t[16];

	memcpy(t, a, n);
	memcpy(a, b, n);
	memcpy(b, t, n);
}

/* Turns a question for our name into its answer, in place; returns its length, 0 when there is none to give. The buffer has room. */
static size_t dns_answer(struct wire *w, uint8_t *dns, size_t room)
{
	static const uint8_t head[] = { 0xc0, DNS_HEADER, 0 }, middle[] = { 0, 1, 0, 0, 0, 60, 0 };
	uint8_t *question = dns + DNS_HEADER;
	const unsigned int wanted = w->address_len == 4 ? 1 : 28; /* A, AAAA */
	size_t n = DNS_HEADER + w->name_len + 4;
	bool known;

	note(w, DNS_ASKED);
	if (!w->name_len || room < n || memcmp(question, w->name, w->name_len) != 0)
		return 0;
	known = be16(question + w->name_len) == wanted;
	put16(dns + 2, 0x8400); /* an authoritative answer */
	put16(dns + 4, 1);
	put16(dns + 6, known);
	memset(dns + 8, 0, 4);
	if (known) {
		memcpy(dns + n, head, sizeof(head));
		dns[n += sizeof(head)] = (uint8_t)wanted;
		memcpy(dns + ++n, middle, sizeof(middle));
		dns[n += sizeof(middle)] = (uint8_t)w->address_len;
		memcpy(dns + ++n, w->address, w->address_len);
		n += w->address_len;
	}
	note(w, DNS_ANSWERED);
	return n;
}

/* The answer to a question in this frame, in place; false when there is none. */
static bool dns4(struct wire *w, struct frame *f, uint8_t *ip)
{
	uint8_t *udp = ip + IP_HEADER, *dns = udp + UDP_HEADER;
	size_t n = dns_answer(w, dns, f->len - (size_t)(dns - f->p));

	if (!n)
		return false;
	swap(f->p, f->p + 6, 6);
	swap(ip + 12, ip + 16, 4);
	swap(udp, udp + 2, 2);
	put16(udp + 4, (unsigned int)(n + UDP_HEADER));
	put16(udp + 6, 0); /* no checksum */
	put16(ip + 2, (unsigned int)(n + UDP_HEADER + IP_HEADER));
	put16(ip + 10, 0);
	put16(ip + 10, ~sum16(ip, IP_HEADER, 0) & 0xffff);
	f->len = ETH_HEADER + IP_HEADER + UDP_HEADER + n;
	return true;
}

static bool dns6(struct wire *w, struct frame *f, uint8_t *ip)
{
	uint8_t *udp = ip + IP6_HEADER, *dns = udp + UDP_HEADER;
	size_t n = dns_answer(w, dns, f->len - (size_t)(dns - f->p));
	unsigned int sum;

	if (!n)
		return false;
	n += UDP_HEADER;
	swap(f->p, f->p + 6, 6);
	swap(ip + 8, ip + 24, 16);
	swap(udp, udp + 2, 2);
	put16(ip + 4, (unsigned int)n);
	put16(udp + 4, (unsigned int)n);
	put16(udp + 6, 0);
	/* RFC 8200 8.1: over addresses, length, protocol and all of UDP; here it has to be there. */
	sum = ~sum16(udp, n, sum16(ip + 8, 32, (unsigned int)n + IPPROTO_UDP)) & 0xffff;
	put16(udp + 6, sum ? sum : 0xffff);
	f->len = ETH_HEADER + IP6_HEADER + n;
	return true;
}

/* Is it a question? Then it goes nowhere else; *ret_answered says whether the frame has become its answer. */
static bool is_dns(struct wire *w, struct frame *f, bool *ret_answered)
{
	uint8_t *ip;

	*ret_answered = false;
	if ((ip = ipv4(*f, IPPROTO_UDP, UDP_HEADER + DNS_HEADER)) && be16(ip + IP_HEADER + 2) == 53)
		*ret_answered = dns4(w, f, ip);
	else if ((ip = ipv6(*f, IPPROTO_UDP, UDP_HEADER + DNS_HEADER)) && be16(ip + IP6_HEADER + 2) == 53)
		*ret_answered = dns6(w, f, ip);
	else
		return false;
	return true;
}

/* The guest's tag off or on; false when the frame is lost. Four bytes before the frame are free. */
static bool retag(const struct wire *w, struct frame *f, bool from_guest)
{
	if (!w->vlan)
		return true;
	if (from_guest) {
		if (f->len < ETH_HEADER + 4 || be16(f->p + 12) != ETH_VLAN || (be16(f->p + 14) & 0xfff) != w->vlan)
			return false;
		memmove(f->p + 4, f->p, 12);
		f->p += 4;
		f->len -= 4;
	} else {
		memmove(f->p - 4, f->p, 12);
		f->p -= 4;
		f->len += 4;
		put16(f->p + 12, ETH_VLAN);
		put16(f->p + 14, w->vlan);
	}
	return true;
}

static void deliver(const struct side *to, struct frame f)
{
	/* QEMU's socket may not be there yet, or no more: a cable does not mind. */
	(void)!sendto(to->fd, f.p, f.len, MSG_DONTWAIT, (const struct sockaddr *)&to->peer, sizeof(to->peer));
}

static void pass(struct wire *w, const struct side *from, const struct side *to, bool from_guest)
{
	static uint8_t buf[4 + FRAME_MAX];
	struct frame f = { .p = buf + 4 };
	ssize_t n = recv(from->fd, f.p, FRAME_MAX - 512, 0);
	bool answered;
	uint8_t *ip;

	if (n < ETH_HEADER)
		return;
	f.len = (size_t)n;
	if (from_guest)
		note(w, GUEST_SPEAKS);
	if (from_guest && !retag(w, &f, true))
		return;
	if ((ip = ipv4(f, IPPROTO_UDP, UDP_HEADER)) && !dhcp_passes(w, ip + IP_HEADER, from_guest))
		return;
	if (from_guest && (ip = ipv4(f, IPPROTO_TCP, 20)) && !tcp_passes(w, ip + IP_HEADER))
		return;
	if (from_guest && (ip = ipv6(f, IPPROTO_TCP, 20)) && !tcp_passes(w, ip + IP6_HEADER))
		return;
	if (from_guest && is_dns(w, &f, &answered)) {
		if (answered && retag(w, &f, false))
			deliver(from, f);
		return;
	}
	if (from_guest || retag(w, &f, false))
		deliver(to, f);
}

static bool unix_name(struct sockaddr_un *a, const char *folder, const char *name)
{
	a->sun_family = AF_UNIX;
	return snprintf(a->sun_path, sizeof(a->sun_path), "%s/%s", folder, name) < (int)sizeof(a->sun_path);
}

static bool open_side(struct side *s, const char *folder, const char *ours, const char *theirs)
{
	struct sockaddr_un here = { 0 };

	if (!unix_name(&here, folder, ours) || !unix_name(&s->peer, folder, theirs))
		return false;
	unlink(here.sun_path);
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return s->fd >= 0 && bind(s->fd, (const struct sockaddr *)&here, sizeof(here)) == 0;
}

static bool seconds(const char *text, double *ret)
{
	char *end;

	if (strcmp(text, "never") == 0) {
		*ret = NEVER;
		return true;
	}
	*ret = strtod(text, &end);
	return *text && !*end && *ret >= 0;
}

/* NAME=ADDRESS; the name as labels, each behind its length. */
static bool dns_rule(struct wire *w, char *text)
{
	char *address = strrchr(text, '='), *label = text;

	if (!address || address - text > 253)
		return false;
	*address++ = 0;
	while (label) {
		char *dot = strchr(label, '.');
		size_t n = dot ? (size_t)(dot - label) : strlen(label);

		if (n < 1 || n > 63)
			return false;
		w->name[w->name_len++] = (char)n;
		memcpy(w->name + w->name_len, label, n);
		w->name_len += n;
		label = dot ? dot + 1 : NULL;
	}
	w->name[w->name_len++] = 0;
	w->address_len = inet_pton(AF_INET, address, w->address) == 1 ? 4 : 16;
	return w->address_len == 4 || inet_pton(AF_INET6, address, w->address) == 1;
}

static bool rule(struct wire *w, char *text)
{
	if (strncmp(text, "dhcp=", 5) == 0)
		return seconds(text + 5, &w->dhcp);
	if (strncmp(text, "tcp=", 4) == 0)
		return seconds(text + 4, &w->tcp);
	if (strncmp(text, "dns=", 4) == 0)
		return dns_rule(w, text + 4);
	if (strncmp(text, "vlan=", 5) == 0) {
		w->vlan = (unsigned int)strtoul(text + 5, NULL, 10);
		return w->vlan >= 1 && w->vlan <= 4094;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct wire w = { .begun = now() };
	struct side guest, world;
	struct pollfd p[2];

	for (int i = 2; i < argc; i++)
		if (!rule(&w, argv[i])) {
			fprintf(stderr, "wire: what is %s?\n", argv[i]);
			return 2;
		}
	if (argc < 2 || !open_side(&guest, argv[1], "guest.wire", "guest.qemu") || !open_side(&world, argv[1], "world.wire", "world.qemu")) {
		fprintf(stderr, "wire: no sockets: %s\n", strerror(errno));
		return 1;
	}
	p[0] = (struct pollfd){ .fd = guest.fd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = world.fd, .events = POLLIN };
	printf("ready\n");
	fflush(stdout);
	while (poll(p, 2, -1) > 0 || errno == EINTR) {
		if (p[0].revents & POLLIN)
			pass(&w, &guest, &world, true);
		if (p[1].revents & POLLIN)
			pass(&w, &world, &guest, false);
	}
	return 1;
}
