# Rows of rounds.tsv (name, runs, median, least, p10, p90, mean, cpu; microseconds), the ratios that have a target, and what was counted once.
def row: split("\t") | {key: .[0], value: {runs: (.[1] | tonumber), median: (.[2] | tonumber), least: (.[3] | tonumber), p90: (.[5] | tonumber), cpu: (.[7] | tonumber)}};
[inputs | row] | from_entries as $r
| def m($k): $r[$k].median;
  def ratio($a; $b): (m($a) / $b * 100 | round) / 100;
{
  schema: 1,
  rows: $r,
  once: {keeper_daemon_pss_kib: $idle, per_container_pss_kib: ((($full - $idle) / $n * 100 | round) / 100), start_first_us: ($first / 30 | round),
         start_last_us: ($last / 30 | round), containers: $n, list_us: $list, daemon_restart_us: $restart},
  targets: [
    {what: "run, no network / floor", is: ratio("arnia.run.nonet"; m("floor.nonet")), target: 2.5},
    {what: "run, no network / crun", is: ratio("arnia.run.nonet"; m("crun.run.nonet")), target: 0.35},
    {what: "run, network + port + overlay / crun without them", is: ratio("arnia.run.net"; m("crun.run.net")), target: 0.5},
    {what: "daemon side of a start / floor", is: ratio("arnia.daemon.start.nonet"; m("floor.nonet")), target: 1.5},
    {what: "start, no network / crun create + start", is: ratio("arnia.start.nonet"; m("crun.create") + m("crun.start")), target: 0.2},
    {what: "start, network + overlay / crun create + start", is: ratio("arnia.start.net"; m("crun.create") + m("crun.start")), target: 0.25},
    {what: "exec / crun", is: ratio("arnia.exec"; m("crun.exec")), target: 0.3},
    {what: "list / crun state", is: ratio("arnia.list"; m("crun.state")), target: 0.3},
    {what: "kill / crun", is: ratio("arnia.kill"; m("crun.kill")), target: 0.3},
    {what: "rm -f / crun delete -f", is: ratio("arnia.rm"; m("crun.delete")), target: 0.3},
    {what: "growth of a start, last 30 / first 30", is: (($last / $first * 100 | round) / 100), target: 1.2},
    {what: "keeper + daemon per container, KiB", is: ((($full - $idle) / $n * 100 | round) / 100), target: 8},
    {what: "keeper + daemon idle, KiB", is: $idle, target: 3072}
  ]
}
