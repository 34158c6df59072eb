/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The binary form of a plan: one function per struct, for writing and reading alike. */
#include <net/if.h>
#include <string.h>
#include "lib/plan/internal.h"

#define SECCOMP_INSN_SIZE 8    /* struct sock_filter */
#define SECCOMP_INSNS_MAX 4096 /* BPF_MAXINSNS */

/* A struct that grew has a member that is not carried yet: add it below, raise PLAN_VERSION, then correct its
 * size here. */
#define CARRIES(type, size) _Static_assert(sizeof(type) == (size), "a member of " #type " is not packed")
CARRIES(struct cg_limits, 80);
CARRIES(struct cg_device, 32);
CARRIES(struct cg_write, 24);
CARRIES(struct cg_config, 136);
CARRIES(struct net_port, 12);
CARRIES(struct net_config, 80);
CARRIES(struct mount_item, 120);
CARRIES(struct dev_item, 48);
CARRIES(struct link_item, 16);
CARRIES(struct file_item, 32);
CARRIES(struct rootfs_config, 192);
CARRIES(struct id_map, 12);
CARRIES(struct sandbox_rlimit, 32);
CARRIES(struct sandbox_sysctl, 16);
CARRIES(struct sandbox_join, 16);
CARRIES(struct sandbox_sched, 48);
CARRIES(struct hook_item, 48);
CARRIES(struct sandbox_config, 320);
CARRIES(struct process_config, 80);
CARRIES(struct plan, 1000);

static void pack_value(struct pack *p, uint32_t *v, uint32_t least, uint32_t most)
{
	pack_u32(p, v);
	if (*v < least || *v > most)
		p->bad = true;
}

/* A string that is never NULL. */
static void pack_need(struct pack *p, const char **s)
{
	pack_str(p, s);
	if (!*s)
		p->bad = true;
}

static void pack_need_element(struct pack *p, void *v)
{
	pack_need(p, v);
}

static void pack_list(struct pack *p, struct strv *sv)
{
	pack_arr(p, sv, pack_need_element);
}

static void pack_limits(struct pack *p, struct cg_limits *l)
{
	pack_u64(p, &l->cpu_quota_us);
	pack_u64(p, &l->cpu_period_us);
	pack_u64(p, &l->cpu_weight);
	pack_u64(p, &l->memory_max);
	pack_u64(p, &l->memory_high);
	pack_u64(p, &l->memory_low);
	pack_u64(p, &l->swap_max);
	pack_u64(p, &l->pids_max);
	pack_u64(p, &l->io_weight);
	pack_bool(p, &l->oom_group);
	pack_u32(p, &l->asked);
}

/* A letter out of `allowed`. */
static void pack_letter(struct pack *p, char *c, const char *allowed)
{
	uint8_t v = (uint8_t)*c;

	pack_u8(p, &v);
	if (!v || !strchr(allowed, v))
		p->bad = true;
	*c = (char)v;
}

static void pack_cg_device(struct pack *p, void *v)
{
	struct cg_device *d = v;

	pack_bool(p, &d->allow);
	pack_letter(p, &d->type, "abc");
	pack_i64(p, &d->major);
	pack_i64(p, &d->minor);
	pack_u8(p, &d->access);
}

static void pack_cg_write(struct pack *p, void *v)
{
	struct cg_write *w = v;

	pack_need(p, &w->file);
	pack_need(p, &w->value);
	pack_bool(p, &w->optional);
	pack_bool(p, &w->instead);
}

static void pack_cgroup(struct pack *p, struct cg_config *c)
{
	pack_str(p, &c->path);
	pack_limits(p, &c->limits);
	pack_arr(p, &c->devices, pack_cg_device);
	pack_arr(p, &c->writes, pack_cg_write);
	pack_bool(p, &c->reuse);
	pack_bool(p, &c->delegate);
	pack_u32(p, &c->owner_uid);
	pack_u32(p, &c->owner_gid);
}

static void pack_port(struct pack *p, void *v)
{
	struct net_port *port = v;

	pack_u8(p, &port->proto);
	pack_fixed(p, &port->host_addr, sizeof(port->host_addr));
	pack_u16(p, &port->host_port);
	pack_u16(p, &port->port);
}

static void pack_net(struct pack *p, struct net_config *n)
{
	uint32_t mode = n->mode;

	pack_value(p, &mode, NET_NONE, NET_ROUTED);
	n->mode = p->bad ? NET_NONE : (enum net_mode)mode;
	pack_str(p, &n->table);
	pack_u32(p, &n->ifgroup);
	pack_str(p, &n->ifname);
	if (n->ifname && strlen(n->ifname) >= IFNAMSIZ)
		p->bad = true;
	pack_u32(p, &n->ifindex);
	pack_fixed(p, n->host_mac, sizeof(n->host_mac));
	pack_fixed(p, n->mac, sizeof(n->mac));
	pack_fixed(p, &n->addr, sizeof(n->addr));
	pack_fixed(p, &n->gateway, sizeof(n->gateway));
	pack_u32(p, &n->mtu);
	pack_arr(p, &n->ports, pack_port);
}

static void pack_map(struct pack *p, void *v)
{
	struct id_map *m = v;

	pack_u32(p, &m->inside);
	pack_u32(p, &m->outside);
	pack_u32(p, &m->count);
}

static void pack_mount(struct pack *p, void *v)
{
	struct mount_item *m = v;
	uint32_t kind = m->kind;

	pack_value(p, &kind, MOUNT_FS, MOUNT_BIND);
	m->kind = p->bad ? MOUNT_FS : (enum mount_kind)kind;
	pack_str(p, &m->fstype);
	pack_str(p, &m->source);
	pack_need(p, &m->target);
	pack_str(p, &m->data);
	pack_u64(p, &m->flags);
	pack_bool(p, &m->idmap);
	pack_bool(p, &m->create);
	pack_bool(p, &m->optional);
	pack_bool(p, &m->copy_up);
	pack_bool(p, &m->shallow);
	pack_u64(p, &m->clear);
	pack_u64(p, &m->rec_set);
	pack_u64(p, &m->rec_clear);
	pack_arr(p, &m->uid_maps, pack_map);
	pack_arr(p, &m->gid_maps, pack_map);
	pack_bool(p, &m->idmap_tree);
	if (m->kind == MOUNT_FS ? !m->fstype : !m->source)
		p->bad = true;
}

static void pack_dev(struct pack *p, void *v)
{
	struct dev_item *d = v;

	pack_need(p, &d->path);
	pack_need(p, &d->target);
	pack_letter(p, &d->type, "bcp");
	pack_u32(p, &d->major);
	pack_u32(p, &d->minor);
	pack_bool(p, &d->make);
	pack_u32(p, &d->mode);
	pack_u32(p, &d->uid);
	pack_u32(p, &d->gid);
}

static void pack_link(struct pack *p, void *v)
{
	struct link_item *l = v;

	pack_need(p, &l->target);
	pack_need(p, &l->path);
}

static void pack_file(struct pack *p, void *v)
{
	struct file_item *f = v;

	pack_need(p, &f->path);
	pack_bytes(p, &f->data, &f->size);
	pack_u32(p, &f->mode);
}

static void pack_rootfs(struct pack *p, struct rootfs_config *r)
{
	pack_list(p, &r->lower);
	pack_str(p, &r->upper);
	pack_str(p, &r->work);
	pack_bool(p, &r->readonly);
	pack_bool(p, &r->throwaway);
	pack_u64(p, &r->id_base);
	pack_u32(p, &r->id_count);
	pack_arr(p, &r->mounts, pack_mount);
	pack_arr(p, &r->devices, pack_dev);
	pack_arr(p, &r->links, pack_link);
	pack_arr(p, &r->files, pack_file);
	pack_list(p, &r->masked);
	pack_list(p, &r->readonly_paths);
	pack_bool(p, &r->console);
	pack_bool(p, &r->plain);
	pack_u64(p, &r->propagation);
	pack_bool(p, &r->host_cgroups);
	pack_bool(p, &r->no_pivot);
	pack_value(p, (uint32_t *)&r->place, ROOTFS_NEW, ROOTFS_HERE);
	pack_u64(p, &r->root_id);
	pack_bool(p, &r->direct);
	pack_str(p, &r->mount_label);
}

static void pack_sysctl(struct pack *p, void *v)
{
	struct sandbox_sysctl *s = v;

	pack_need(p, &s->name);
	pack_need(p, &s->value);
}

static void pack_rlimit(struct pack *p, void *v)
{
	struct sandbox_rlimit *r = v;

	pack_u32(p, &r->resource);
	pack_u64(p, &r->soft);
	pack_u64(p, &r->hard);
	pack_bool(p, &r->best_effort);
}

static void pack_join(struct pack *p, void *v)
{
	struct sandbox_join *j = v;

	pack_u32(p, &j->ns);
	pack_need(p, &j->path);
}

static void pack_sched(struct pack *p, struct sandbox_sched *s)
{
	pack_bool(p, &s->set);
	pack_u32(p, &s->policy);
	pack_i32(p, &s->nice);
	pack_u32(p, &s->priority);
	pack_u64(p, &s->flags);
	pack_u64(p, &s->runtime);
	pack_u64(p, &s->deadline);
	pack_u64(p, &s->period);
}

static void pack_sandbox_oci(struct pack *p, struct sandbox_config *s)
{
	pack_str(p, &s->domainname);
	pack_bool(p, &s->any_ids);
	pack_bool(p, &s->seccomp_listener);
	pack_bool(p, &s->set_personality);
	pack_u64(p, &s->personality);
	pack_sched(p, &s->sched);
	pack_u32(p, &s->ioprio);
	pack_str(p, &s->cpus_initial);
	pack_str(p, &s->cpus_final);
	pack_str(p, &s->apparmor);
	pack_str(p, &s->selinux);
	pack_u32(p, &s->mempolicy);
	pack_str(p, &s->mempolicy_nodes);
}

static void pack_sandbox(struct pack *p, struct sandbox_config *s)
{
	pack_u64(p, &s->namespaces);
	pack_arr(p, &s->joins, pack_join);
	pack_arr(p, &s->uid_maps, pack_map);
	pack_arr(p, &s->gid_maps, pack_map);
	pack_i64(p, &s->time_boot_ns);
	pack_i64(p, &s->time_mono_ns);
	pack_str(p, &s->hostname);
	pack_arr(p, &s->sysctls, pack_sysctl);
	pack_u64(p, &s->cap_bounding);
	pack_u64(p, &s->cap_effective);
	pack_u64(p, &s->cap_permitted);
	pack_u64(p, &s->cap_inheritable);
	pack_u64(p, &s->cap_ambient);
	pack_bool(p, &s->no_new_privs);
	pack_bytes(p, &s->seccomp, &s->seccomp_size);
	if (s->seccomp_size % SECCOMP_INSN_SIZE || s->seccomp_size > SECCOMP_INSNS_MAX * SECCOMP_INSN_SIZE)
		p->bad = true;
	pack_u32(p, &s->seccomp_flags);
	pack_arr(p, &s->rlimits, pack_rlimit);
	pack_i32(p, &s->oom_score_adj);
	pack_bool(p, &s->new_keyring);
	pack_sandbox_oci(p, s);
}

static void pack_process(struct pack *p, struct process_config *c)
{
	pack_list(p, &c->argv);
	pack_list(p, &c->env);
	pack_str(p, &c->cwd);
	pack_str(p, &c->user);
	pack_list(p, &c->groups);
	pack_u32(p, &c->umask);
	pack_bool(p, &c->tty);
	pack_u16(p, &c->rows);
	pack_u16(p, &c->cols);
	pack_bool(p, &c->init);
	pack_u32(p, &c->preserve_fds);
}

static void pack_hook(struct pack *p, void *v)
{
	struct hook_item *h = v;

	pack_need(p, &h->path);
	pack_list(p, &h->args);
	pack_list(p, &h->env);
	pack_u64(p, &h->timeout_ms);
}

static void pack_undo(struct pack *p, void *v)
{
	pack_value(p, v, PLAN_UNDO_CGROUP, PLAN_UNDO_LINK);
}

void plan_pack(struct pack *p, struct plan *plan)
{
	pack_value(p, &plan->kind, PLAN_START, PLAN_HOST_CHECK);
	pack_str(p, &plan->id);
	pack_str(p, &plan->name);
	pack_str(p, &plan->exec_id);
	pack_str(p, &plan->run);
	pack_str(p, &plan->state);
	pack_str(p, &plan->share);
	pack_cgroup(p, &plan->cgroup);
	pack_net(p, &plan->net);
	pack_rootfs(p, &plan->rootfs);
	pack_sandbox(p, &plan->sandbox);
	pack_process(p, &plan->process);
	pack_value(p, &plan->stdio, PLAN_STDIO_NULL, PLAN_STDIO_FDS);
	pack_bool(p, &plan->open_stdin);
	pack_u64(p, &plan->log_max);
	pack_bool(p, &plan->use_cell);
	pack_str(p, &plan->layers_dir);
	pack_arr(p, &plan->undo, pack_undo);
	pack_bool(p, &plan->halt);
	pack_arr(p, &plan->hooks_create, pack_hook);
	pack_arr(p, &plan->hooks_start, pack_hook);
	pack_str(p, &plan->hook_state);
	pack_str(p, &plan->start_state);
	pack_fixed(p, &plan->pool, sizeof(plan->pool));
	pack_u8(p, &plan->pool_prefix);
	pack_str(p, &plan->cgroup_branch);
	pack_str(p, &plan->template);
}
