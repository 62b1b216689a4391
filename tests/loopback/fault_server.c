/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The server's process: listens, one thread for each connection, TLS. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/loopback/faultkbs.h"

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "faultkbs: %s: %s\n", what, strerror(errno));
	abort();
}

static SSL_CTX *make_ctx(const struct testcert *cert)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	BIO *c = BIO_new_mem_buf(cert->cert_pem, -1), *k = BIO_new_mem_buf(cert->key_pem, -1);
	X509 *x = PEM_read_bio_X509(c, NULL, NULL, NULL);
	EVP_PKEY *p = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);

	must(ctx && x && p && SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, p) == 1, "TLS set-up");
	X509_free(x);
	EVP_PKEY_free(p);
	BIO_free(c);
	BIO_free(k);
	return ctx;
}

static bool start_tls(struct fault_conn *c)
{
	const char *sni;

	if (!c->kbs->ssl_ctx)
		return true;
	c->ssl = SSL_new(c->kbs->ssl_ctx);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_accept(c->ssl) != 1)
		return false;
	sni = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
	pthread_mutex_lock(&c->kbs->lock);
	c->kbs->counts->tls++;
	snprintf(c->kbs->counts->sni, sizeof(c->kbs->counts->sni), "%.60s", sni ? sni : "");
	pthread_mutex_unlock(&c->kbs->lock);
	return true;
}

/* False: the connection ends here. */
static bool welcome(struct fault_conn *c)
{
	const struct linger abortive = { .l_onoff = 1 };
	struct fault_step step;

	pthread_mutex_lock(&c->kbs->lock);
	c->kbs->counts->connections++;
	step = *fault_script_next(&c->kbs->queue[WHERE_ACCEPT]);
	pthread_mutex_unlock(&c->kbs->lock);
	if (strcmp(step.action, "reset") == 0) {
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abortive, sizeof(abortive));
		return false;
	}
	if (strcmp(step.action, "silent") == 0) {
		fault_hold(c);
		return false;
	}
	if (strcmp(step.action, "plain") == 0) {
		fault_puts(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
		return false;
	}
	return start_tls(c);
}

static void *serve(void *arg)
{
	struct fault_conn *c = arg;
	struct fault_request r;

	if (welcome(c)) {
		while (!c->close && fault_read_request(c, &r)) {
			fault_answer(c, &r);
			fault_request_clear(&r);
		}
		/* No close_notify: a cut connection is what "close" and "cut" are to show. */
	}
	close(c->fd);
	SSL_free(c->ssl);
	free(c);
	return NULL;
}

static _Noreturn void run(struct fault_kbs *k, int listener)
{
	for (;;) {
		struct fault_conn *c = calloc(1, sizeof(*c));
		pthread_attr_t attr;
		pthread_t t;
		int one = 1;

		must(c != NULL, "memory");
		c->kbs = k;
		c->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		must(c->fd >= 0, "accept");
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		must(pthread_create(&t, &attr, serve, c) == 0, "thread");
		pthread_attr_destroy(&attr);
	}
}

static int listen_on(const struct fault_conf *conf, unsigned int *ret_port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *addr = conf->ipv6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t len = conf->ipv6 ? sizeof(six) : sizeof(four);
	int fd = socket(conf->ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	six.sin6_port = four.sin_port = htons((uint16_t)conf->port);
	must(fd >= 0, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	must(bind(fd, addr, len) == 0 && listen(fd, 64) == 0 && getsockname(fd, addr, &len) == 0, "listening on loopback");
	*ret_port = ntohs(conf->ipv6 ? six.sin6_port : four.sin_port);
	return fd;
}

static _Noreturn void server_main(const struct fault_conf *conf, struct fault_counts *counts, int listener, pid_t parent)
{
	static struct fault_kbs k;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	dup2(listener, 3);
	closefrom(4);
	k.conf = *conf;
	k.counts = counts;
	k.protocol = KBS_0_4_0;
	if (conf->protocol)
		must(kbs_protocol_by_name(conf->protocol, &k.protocol, NULL) == 0, "protocol name");
	fault_script_parse(conf->script, k.queue);
	pthread_mutex_init(&k.lock, NULL);
	if (conf->cert)
		k.ssl_ctx = make_ctx(conf->cert);
	run(&k, 3);
}

void fault_start(const struct fault_conf *conf, struct fault_server *ret)
{
	struct fault_queue *check = calloc(WHERE_N, sizeof(*check));
	pid_t parent = getpid();
	int listener;

	must(check != NULL, "memory");
	fault_script_parse(conf->script, check); /* a mistake in a script ends the test here, not in the child */
	free(check);
	memset(ret, 0, sizeof(*ret));
	ret->counts = mmap(NULL, sizeof(*ret->counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(ret->counts != MAP_FAILED, "mmap");
	listener = listen_on(conf, &ret->port);
	snprintf(ret->url, sizeof(ret->url), "%s://%s:%u", conf->cert ? "https" : "http", conf->ipv6 ? "[::1]" : "127.0.0.1",
		 ret->port);
	ret->pid = fork();
	must(ret->pid >= 0, "fork");
	if (ret->pid == 0)
		server_main(conf, ret->counts, listener, parent);
	close(listener);
}

void fault_stop(struct fault_server *s)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

void fault_forget(struct fault_server *s)
{
	fault_stop(s);
	if (s->counts)
		munmap(s->counts, sizeof(*s->counts));
	s->counts = NULL;
}
