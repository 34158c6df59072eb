# The result as tab-separated lines; $base: [] or [an earlier result].
($base[0] // {targets: []}) as $b
| (["case", "median us", "least", "p90", "cpu us"] | @tsv),
  (.rows | to_entries[] | [.key, (.value.median | round), (.value.least | round), (.value.p90 | round), (.value.cpu | round)] | @tsv),
  "",
  (["target", "is", "at most", "", "before"] | @tsv),
  (.targets[] | . as $t | [$t.what, $t.is, $t.target, (if $t.is <= $t.target then "met" else "missed" end),
    ($b.targets | map(select(.what == $t.what)) | first | .is // "-")] | @tsv),
  "",
  (.once | to_entries[] | [.key, .value] | @tsv)
