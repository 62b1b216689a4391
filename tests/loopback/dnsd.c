/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A name server for one test: every name has the address 127.0.0.1 and no other. Listens on 127.0.0.1:53 (UDP). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER 12

/* Length of the question section, 0 when it is not one plain question. */
static size_t question_len(const unsigned char *p, size_t n)
{
	size_t off = HEADER;

	while (off < n && p[off] && p[off] < 64)
		off += 1 + p[off];
	return off + 5 <= n && p[off] == 0 ? off + 5 - HEADER : 0;
}

int main(void)
{
	static const unsigned char answer[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1 };
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0) {
		perror("dnsd");
		return 1;
	}
	for (;;) {
		unsigned char p[1024];
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, p, 512, 0, (struct sockaddr *)&from, &len);
		size_t q = n > HEADER ? question_len(p, (size_t)n) : 0, out = HEADER + q;
		int is_a = q && p[HEADER + q - 3] == 1;

		if (!q)
			continue;
		p[2] = 0x84; /* an authoritative answer */
		p[3] = 0;
		memset(p + 4, 0, 8);
		p[5] = 1;
		p[7] = is_a ? 1 : 0;
		if (is_a) {
			memcpy(p + out, answer, sizeof(answer));
			out += sizeof(answer);
		}
		sendto(fd, p, out, 0, (struct sockaddr *)&from, len);
	}
}
