/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include "tests/unit/cmd/arnia-run/keeper.h"
#include "cgroup/cgroup.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/proc.h"
#include "rootfs/rootfs.h"

#define ID_BASE 1900000000u
#define TABLE "arnia-run-test"
#define GROUP 0xa4ffu

struct world world = { .cgroup = -1, .hostns = -1, .init = -1, .net = NET_SOCKETS_NONE };

static void make_rootfs(void)
{
	static const char *const dirs[] = {
		"bin", "etc", "proc", "sys", "dev", "tmp", "root", "home", "srv"
	};
	static const char *const applets[] = { "sh",   "cat",  "ls",	 "id",	   "hostname", "sleep",
					       "grep", "echo", "mount",	 "umount", "stat",     "readlink",
					       "ip",   "tty",  "pwd",	 "env",	   "true",     "kill",
					       "ping", "cut",  "uptime", "mkdir",  "nc",       "touch",
					       "stty", "rm" };
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n";
	static const char group[] = "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n";
	char *box;
	long n = file_read_at(AT_FDCWD, "/bin/busybox", 8 << 20, &box, NULL);
	auto_fd int root = -1;

	assert_true(n > 0);
	assert_int_equal(mkdir(world.rootfs, 0755), 0);
	root = open(world.rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		assert_int_equal(mkdirat(root, dirs[i], 0755), 0);
	assert_int_equal(fchmodat(root, "tmp", 01777, 0), 0);
	assert_int_equal(file_write_atomic_at(root, "bin/busybox", box, (size_t)n, 0755, false, NULL), 0);
	free(box);
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
		auto_free char *path = str_fmt("bin/%s", applets[i]);

		assert_int_equal(symlinkat("busybox", root, path), 0);
	}
	file_write_atomic_at(root, "etc/passwd", passwd, strlen(passwd), 0644, false, NULL);
	file_write_atomic_at(root, "etc/group", group, strlen(group), 0644, false, NULL);
	file_write_atomic_at(root, "srv/script", "#!/no/such/interpreter\n", 23, 0755, false, NULL);
	file_write_atomic_at(root, "srv/plain", "text\n", 5, 0644, false, NULL);
}

/* The program beside this test in the build's folder: O/tests/unit/cmd/arnia-run -> O/bin. */
static int load_init(void)
{
	char dir[4096], *text;
	auto_free char *path = NULL;
	long n;
	int fd;

	if (proc_self_dir(dir, sizeof(dir)) < 0)
		return -1;
	path = str_fmt("%s/../../../../bin/arnia-init", dir);
	n = file_read_at(AT_FDCWD, path, 8 << 20, &text, NULL);
	if (n < 0)
		return -1;
	fd = fd_memfd_sealed("arnia-init", text, (size_t)n);
	free(text);
	return fd;
}

int world_setup(void **state)
{
	struct rlimit nofile;

	(void)state;
	if (geteuid() != 0)
		return 0;
	assert_int_equal(unshare(CLONE_NEWNS | CLONE_NEWNET), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	strcpy(world.dir, "/tmp/arnia-run-XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	snprintf(world.run, sizeof(world.run), "%s/run", world.dir);
	snprintf(world.state, sizeof(world.state), "%s/lib", world.dir);
	snprintf(world.rootfs, sizeof(world.rootfs), "%s/rootfs", world.dir);
	snprintf(world.branch, sizeof(world.branch), "arnia-run-test-%d", getpid());
	assert_int_equal(mkdir(world.run, 0755), 0);
	assert_int_equal(mkdir(world.state, 0711), 0);
	make_rootfs();
	setenv("ARNIA_ROOT", world.dir, 1);
	world.cgroup = cg_open_root(NULL);
	assert_true(world.cgroup >= 0);
	world.hostns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	world.init = load_init();
	assert_int_equal(net_open(&world.net, NULL), 0);
	getrlimit(RLIMIT_NOFILE, &nofile);
	world.ready = true;
	return 0;
}

/* Only a test that failed leaves something to end. */
static void end_all(void)
{
	auto_fd int cg = cg_open(world.cgroup, world.branch, NULL);

	if (cg >= 0 && cg_kill(cg, NULL) == 0)
		cgroup_wait_empty(cg, 2000, NULL);
}

int world_teardown(void **state)
{
	(void)state;
	if (!world.ready)
		return 0;
	end_all();
	net_close(&world.net);
	fd_close(&world.hostns);
	fd_close(&world.init);
	assert_int_equal(cg_remove(world.cgroup, world.branch, NULL), 0);
	fd_close(&world.cgroup);
	return path_rmtree_at(AT_FDCWD, world.dir);
}

/* ---- plans ---- */

/* Everything allowed, but for two calls whose refusal shows that the filter works and that arnia-run does
 * without them at the end. */
static const struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_execveat, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_sendmsg, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
};

struct plan *plan_new(enum plan_kind kind, const char *id)
{
	struct plan *p = mem_alloc(sizeof(*p));

	p->kind = kind;
	p->id = arena_str(&p->arena, id);
	p->name = "test";
	p->run = world.run;
	p->state = world.state;
	p->share = world.dir;
	p->net.table = TABLE;
	p->net.ifgroup = GROUP;
	p->net.gateway.s_addr = inet_addr("169.254.1.1");
	p->cgroup.limits = CG_LIMITS_NONE;
	p->cgroup_branch = world.branch;
	p->pool.s_addr = inet_addr("10.254.0.0");
	p->pool_prefix = 16;
	p->rootfs.id_base = ID_BASE;
	p->rootfs.id_count = 65536;
	p->sandbox.oom_score_adj = INT32_MIN;
	p->sandbox.namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC |
				CLONE_NEWCGROUP | CLONE_NEWNET;
	*arena_push(&p->arena, &p->sandbox.uid_maps) = (struct id_map){ 0, ID_BASE, 65536 };
	*arena_push(&p->arena, &p->sandbox.gid_maps) = (struct id_map){ 0, ID_BASE, 65536 };
	return p;
}

void plan_argv(struct plan *p, const char *const *argv)
{
	p->process.argv = (struct strv){ 0 };
	for (; *argv; argv++)
		strv_push(&p->arena, &p->process.argv, *argv);
}

static void add_process(struct plan *p, const char *script)
{
	plan_argv(p, (const char *const[]){ "sh", "-c", script, NULL });
	strv_push(&p->arena, &p->process.env, "PATH=/bin:/sbin");
	p->process.cwd = "/";
	p->process.user = "";
	p->process.umask = 022;
	p->sandbox.no_new_privs = true;
	p->sandbox.seccomp = filter;
	p->sandbox.seccomp_size = sizeof(filter);
	p->sandbox.cap_bounding = p->sandbox.cap_effective = p->sandbox.cap_permitted = 0x4a9;
}

struct plan *plan_container(const char *id, const char *script)
{
	struct plan *p = plan_new(PLAN_START, id);

	p->cgroup.path = arena_fmt(&p->arena, "%s/c-%s", world.branch, id);
	p->layers_dir = arena_fmt(&p->arena, "%s/containers/%s", world.state, id);
	p->stdio = PLAN_STDIO_LOG;
	p->net.mode = NET_NONE;
	p->sandbox.hostname = "box";
	strv_push(&p->arena, &p->rootfs.lower, world.rootfs);
	rootfs_config_defaults(&p->rootfs, &p->arena);
	for (size_t i = 0; i < p->rootfs.mounts.n; i++)
		p->rootfs.mounts.v[i].source = p->rootfs.mounts.v[i].source ?: p->rootfs.mounts.v[i].fstype;
	add_process(p, script);
	*arena_push(&p->arena, &p->undo) = PLAN_UNDO_CGROUP;
	return p;
}

void plan_layers(struct plan *p)
{
	auto_free char *parent = str_fmt("%s/containers", world.state);

	mkdir(parent, 0711);
	mkdir(p->layers_dir, 0700);
	p->rootfs.upper = arena_fmt(&p->arena, "%s/upper", p->layers_dir);
	p->rootfs.work = arena_fmt(&p->arena, "%s/work", p->layers_dir);
	*arena_push(&p->arena, &p->undo) = PLAN_UNDO_LAYERS;
}

void plan_net(struct plan *p, unsigned n)
{
	p->net.mode = NET_ROUTED;
	p->net.ifname = arena_fmt(&p->arena, "anT%u", n);
	p->net.ifindex = 0x1f000000u + n;
	p->net.addr.s_addr = htonl(ntohl(p->pool.s_addr) + 2 + n);
	net_mac_derive(p->net.addr, true, p->net.host_mac);
	net_mac_derive(p->net.addr, false, p->net.mac);
	*arena_push(&p->arena, &p->undo) = PLAN_UNDO_PUBLISH;
	*arena_push(&p->arena, &p->undo) = PLAN_UNDO_LINK;
}

struct plan *plan_exec_of(const struct plan *start, const char *script)
{
	struct plan *p = plan_new(PLAN_EXEC, start->id);

	p->exec_id = arena_fmt(&p->arena, "%s-e1", start->id);
	p->cgroup.path = arena_str(&p->arena, start->cgroup.path);
	p->stdio = PLAN_STDIO_FDS;
	p->net.mode = start->net.mode;
	p->sandbox.namespaces = start->sandbox.namespaces;
	add_process(p, script);
	return p;
}

struct plan *plan_like(const struct plan *start, enum plan_kind kind)
{
	struct plan *p = mem_dup(start, sizeof(*start));

	p->arena = (struct arena){ 0 };
	p->kind = kind;
	return p;
}

/* ---- what is left ---- */

/* A link goes in the background when its namespace ends. */
static bool link_is_gone(const char *ifname)
{
	for (int i = 0; i < 400; i++) {
		if (if_nametoindex(ifname) == 0)
			return true;
		poll(NULL, 0, 5);
	}
	return false;
}

static void assert_no_elements(const struct plan *p)
{
	struct strbuf text = { 0 };

	assert_int_equal(net_print(&world.net, &p->net, &text, NULL), 0);
	if (strstr(strbuf_cstr(&text), ": allowed") || strstr(text.s, ": published"))
		fail_msg("elements are left: %s", text.s);
	assert_text(text.s, "not in the table");
	strbuf_done(&text);
}

void assert_clean(const struct plan *p, const struct answer *a)
{
	if (p->cgroup.path && faccessat(world.cgroup, p->cgroup.path, F_OK, 0) == 0)
		fail_msg("cgroup %s is left", p->cgroup.path);
	if (p->rootfs.upper && access(p->rootfs.upper, F_OK) == 0)
		fail_msg("%s is left", p->rootfs.upper);
	if (a->adopted) {
		struct pollfd pf = { .fd = a->pidfd, .events = POLLIN };

		assert_int_equal(poll(&pf, 1, 2000), 1);
	}
	if (p->net.mode != NET_ROUTED)
		return;
	assert_no_elements(p);
	if (!link_is_gone(p->net.ifname))
		fail_msg("link %s is left", p->net.ifname);
}
