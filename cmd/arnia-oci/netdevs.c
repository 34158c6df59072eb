/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.netDevices (runtime-spec config-linux.md "Network Devices"). They are the container's then: only a
 * create that fails takes them back, a delete does not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "netns/netdev.h"

struct netdevs {
	struct netdev_road road;
	size_t n;
	struct netdev v[];
};

static int open_road(struct act *a, struct error *err)
{
	auto_fd int netns = -1;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", a->init.pid);
	netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return err_sys(err, -errno, "open the container's network namespace");
	return netdev_road_open(netns, &a->netdevs->road, err);
}

int netdevs_move(struct act *a, struct error *err)
{
	size_t n = a->config.netdevs.n;
	int r;

	if (!n)
		return 0;
	a->netdevs = mem_alloc(sizeof(*a->netdevs) + n * sizeof(a->netdevs->v[0]));
	a->netdevs->road = NETDEV_ROAD_NONE;
	r = open_road(a, err);
	if (r < 0)
		return err_prefix(err, "linux.netDevices"), r;
	for (size_t i = 0; i < n; i++) {
		const struct oci_netdev *d = &a->config.netdevs.v[i];

		r = netdev_move(&a->netdevs->road, d->name, d->rename, &a->netdevs->v[i], err);
		if (r < 0)
			return err_prefix(err, "linux.netDevices.%s", d->name), r;
		a->netdevs->n++;
	}
	return 0;
}

void netdevs_return(struct act *a)
{
	for (size_t i = a->netdevs ? a->netdevs->n : 0; i-- > 0;) {
		struct error e = {0};

		if (netdev_return(&a->netdevs->road, &a->netdevs->v[i], &e) < 0)
			report(&a->call->g, REPORT_WARN, "linux.netDevices: %s", e.text);
	}
	netdevs_done(a);
}

void netdevs_done(struct act *a)
{
	if (!a->netdevs)
		return;
	for (size_t i = 0; i < a->netdevs->n; i++)
		netdev_done(&a->netdevs->v[i]);
	netdev_road_done(&a->netdevs->road);
	free(a->netdevs);
	a->netdevs = NULL;
}
