/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small network peer for tests, where the image has none: netecho udp PORT sends datagrams back; netecho tcp PORT tells each connection
 * where it comes from ("from ADDRESS\n") and closes it.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void serve_udp(int s)
{
	struct sockaddr_in peer;
	char buf[2048];

	for (;;) {
		socklen_t len = sizeof(peer);
		ssize_t n = recvfrom(s, buf, sizeof(buf), 0, (void *)&peer, &len);

		if (n >= 0)
			sendto(s, buf, (size_t)n, 0, (void *)&peer, len);
	}
}

static void serve_tcp(int s)
{
	struct sockaddr_in peer;

	for (;;) {
		socklen_t len = sizeof(peer);
		int c = accept4(s, (void *)&peer, &len, SOCK_CLOEXEC);

		if (c < 0)
			continue;
		dprintf(c, "from %s\n", inet_ntoa(peer.sin_addr));
		close(c);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int udp = argc > 1 && !strcmp(argv[1], "udp"), s;

	if (argc != 3)
		return 2;
	a.sin_port = htons((uint16_t)atoi(argv[2]));
	s = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (s < 0 || bind(s, (void *)&a, sizeof(a)) || (!udp && listen(s, 16))) {
		perror("netecho");
		return 1;
	}
	if (udp)
		serve_udp(s);
	serve_tcp(s);
}
