# config.json for crun and runc out of our seccomp profile: Docker's mounts, masks and capabilities, no_new_privs.
# $args, $rootfs, $net, $user.
def caps: ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
  "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"];
def rules: .syscalls | map(select((.includes.caps // []) - caps == []))
  | map(select((.excludes.caps // []) as $x | $x == [] or ($x - caps) == $x)) | map(del(.comment, .includes, .excludes));
def map_ids: [{containerID: 0, hostID: 100000, size: 65536}];
{
  ociVersion: "1.0.2",
  process: {
    terminal: false, user: {uid: 0, gid: 0}, args: $args, cwd: "/", noNewPrivileges: true,
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    capabilities: {bounding: caps, effective: caps, permitted: caps, inheritable: [], ambient: []},
    rlimits: [{type: "RLIMIT_NOFILE", soft: 1024, hard: 1024}]
  },
  root: {path: $rootfs, readonly: false}, hostname: "bench",
  mounts: [
    {destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]},
    {destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {destination: "/dev/pts", type: "devpts", source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
    {destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
    {destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]},
    {destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]},
    {destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "relatime", "ro"]}
  ],
  linux: {
    namespaces: ([{type: "pid"}, {type: "mount"}, {type: "uts"}, {type: "ipc"}, {type: "cgroup"}]
      + if $net then [{type: "network"}] else [] end + if $user then [{type: "user"}] else [] end),
    maskedPaths: ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
      "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"],
    readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    seccomp: {defaultAction: .defaultAction, architectures: ["SCMP_ARCH_X86_64"], syscalls: rules}
  }
} | if $user then .linux += {uidMappings: map_ids, gidMappings: map_ids} else . end
