/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The template that `spec` writes, in the order of members that readers of runc's know. */
#include "lib/oci/oci_internal.h"

#define CAPS "[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]"

static const char head[] =
	"{\"ociVersion\":\"" OCI_VERSION "\",\"process\":{\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},"
	"\"args\":[\"sh\"],"
	"\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"TERM=xterm\"],"
	"\"cwd\":\"/\",\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS ",\"permitted\":" CAPS
	"},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],\"noNewPrivileges\":true},"
	"\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"arnia\",\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
	"\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},";

/* A group 5 is not mapped for a plain user, and a sysfs needs a network namespace of one's own. */
static const char mounts_root[] =
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
	"\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},";
static const char mounts_rootless[] =
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
	"\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\"]},";
static const char mounts_common[] =
	"{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
	"{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},";
static const char sys_root[] = "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","
			       "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},";
static const char sys_rootless[] = "{\"destination\":\"/sys\",\"type\":\"none\",\"source\":\"/sys\","
				   "\"options\":[\"rbind\",\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},";
static const char cgroup[] =
	"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}],\"linux\":{";

static const char resources[] =
	"\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},"
	"\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
	"{\"type\":\"mount\"},{\"type\":\"cgroup\"}],";
static const char own_user[] = "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
			       "{\"type\":\"mount\"},{\"type\":\"cgroup\"},{\"type\":\"user\"}],";

static const char tail[] =
	"\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\",\"/proc/"
	"latency_stats\","
	"\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\",\"/sys/firmware\",\"/proc/scsi\","
	"\"/sys/devices/virtual/tpm\"],"
	"\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/"
	"sysrq-trigger\"]}}";

static void add_map(struct strbuf *b, const char *key, uint32_t id)
{
	strbuf_addf(b, "\"%s\":[{\"containerID\":0,\"hostID\":%u,\"size\":1}],", key, id);
}

json *oci_spec_template(bool rootless, uint32_t uid, uint32_t gid)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	strbuf_add(&b, head);
	strbuf_add(&b, rootless ? mounts_rootless : mounts_root);
	strbuf_add(&b, mounts_common);
	strbuf_add(&b, rootless ? sys_rootless : sys_root);
	strbuf_add(&b, cgroup);
	if (rootless) {
		add_map(&b, "uidMappings", uid);
		add_map(&b, "gidMappings", gid);
	}
	strbuf_add(&b, rootless ? own_user : resources);
	strbuf_add(&b, tail);
	return json_parse(b.s, b.len, NULL);
}
