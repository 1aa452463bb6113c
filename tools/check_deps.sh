#!/usr/bin/env bash
# Checks every #include "layer/…" under src/ against tools/deps.txt. Prints each violation; exits 1 if there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rnoE '^#include "[a-z]+/' src --include='*.h' --include='*.cc' |
  awk -F: '
    function reach(layer, n, parts, i) {
      if ((layer, "seen") in memo) return
      memo[layer, "seen"] = 1
      n = split(rule[layer], parts, " ")
      for (i = 1; i <= n; i++) { reach_from[layer] = reach_from[layer] " " parts[i]; reach(parts[i]); reach_from[layer] = reach_from[layer] " " reach_from[parts[i]] }
    }
    BEGIN {
      while ((getline line < "tools/deps.txt") > 0) {
        if (line ~ /^#/ || line !~ /:/) continue
        name = line; sub(/:.*/, "", name); sub(/^[^:]*:/, "", line); rule[name] = line; order[++count] = name
      }
      for (k = 1; k <= count; k++) reach(order[k])
    }
    {
      split($1, path, "/"); from = path[2]
      to = $3; sub(/^#include "/, "", to); sub(/\/$/, "", to)
      if (!(to in rule) || from == to || to == "base" || to == "types") next
      if ((" " reach_from[from] " ") !~ (" " to " ")) { print $1 ":" $2 ": src/" from " may not include " to "/ (tools/deps.txt)"; bad = 1 }
    }
    END { exit bad }'
