/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work to be done inside and outside of a container. Static; prints one number.
 *   load getppid | compute | memory | file      nanoseconds an operation, the best of several rounds; file:
 * in the working folder load sink PORT                              receive until the sender closes, for ever
 *   load send ADDRESS PORT MILLISECONDS         Gbit/s
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/bench/stat.h"

#define ROUNDS 7
#define CHUNK (256 << 10)
#define SIEVE 400000

static char buffer[CHUNK];

static void getppids(unsigned n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void sieves(unsigned n)
{
	static uint8_t composite[SIEVE];

	while (n--) {
		memset(composite, 0, sizeof(composite));
		for (size_t i = 2; i * i < SIEVE; i++)
			for (size_t k = i * i; !composite[i] && k < SIEVE; k += i)
				composite[k] = 1;
	}
}

static void mappings(unsigned n)
{
	while (n--) {
		char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			exit(1);
		p[0] = p[8192] = 1;
		munmap(p, 16384);
	}
}

static void files(unsigned n)
{
	while (n--) {
		int fd = open("load.tmp", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		if (fd < 0 || write(fd, buffer, 4096) != 4096 || pread(fd, buffer, 4096, 0) != 4096)
			exit(1);
		close(fd);
		unlink("load.tmp");
	}
}

static int measure(const char *name)
{
	static const struct {
		const char *name;
		void (*fn)(unsigned n);
		unsigned n;
	} table[] = {{"getppid", getppids, 100000},
		     {"compute", sieves, 5},
		     {"memory", mappings, 2000},
		     {"file", files, 300}};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		double best = 0;

		if (strcmp(table[i].name, name) != 0)
			continue;
		for (int r = 0; r < ROUNDS; r++) {
			double t = now_us();

			table[i].fn(table[i].n);
			t = (now_us() - t) * 1000 / table[i].n;
			best = r == 0 || t < best ? t : best;
		}
		printf("%.1f\n", best);
		return 0;
	}
	return 2;
}

static int sink(const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 8) < 0)
		return 1;
	for (;;) {
		int c = accept4(s, NULL, NULL, SOCK_CLOEXEC);

		while (c >= 0 && read(c, buffer, sizeof(buffer)) > 0)
			;
		close(c);
	}
}

static int send_for(const char *address, const char *port, const char *ms)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	double begin, end, bytes = 0;

	signal(SIGPIPE, SIG_IGN);
	if (inet_pton(AF_INET, address, &a.sin_addr) != 1 || connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		return 1;
	begin = now_us();
	end = begin + atof(ms) * 1000;
	while (now_us() < end) {
		ssize_t n = write(s, buffer, sizeof(buffer));

		if (n < 0)
			return 1;
		bytes += (double)n;
	}
	printf("%.2f\n", bytes * 8 / (now_us() - begin) / 1000);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "sink") == 0)
		return sink(argv[2]);
	if (argc == 5 && strcmp(argv[1], "send") == 0)
		return send_for(argv[2], argv[3], argv[4]);
	return argc == 2 ? measure(argv[1]) : 2;
}
