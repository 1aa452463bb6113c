# shellcheck shell=bash
# The main job on real data. Everything a user would type is echoed with a "$" before it.

cmd_demo() {
  # shellcheck source=tools/dev/build.sh
  source tools/dev/build.sh
  cmd_build --preset release
  # `uv` alone of the Python environment: jobs shall find the machine's Python, as they do at a user's.
  mkdir -p .cache/tools
  ln -sf "$VENV/bin/uv" .cache/tools/uv
  export PATH="$ROOT/build/bin:$ROOT/.cache/tools:$PATH"
  DEMO=$ROOT/.cache/demo
  rm -rf "$DEMO"
  mkdir -p "$DEMO"
  RESULTS=()
  STARTED=$SECONDS
  trap demo_stop EXIT
  demo_start
  demo_first_release
  demo_serve_rows
  demo_pull_request
  demo_better_model
  demo_bug
  demo_rollback
  demo_year
  demo_explain
  demo_table
  if [ -t 0 ] && [ -t 1 ]; then
    read -r -p "The server runs until you press Enter. "
  fi
}

demo_stop() {
  local pid
  for pid in "${SERVER_PID:-}" "${WEBHOOK_PID:-}"; do
    [ -n "$pid" ] && kill "$pid" 2>/dev/null && { wait "$pid" 2>/dev/null || true; }
  done
  true
}

# result WHAT OUTCOME: a row of the last table.
result() { RESULTS+=("$(printf '%-34s %-58s %5ds' "$1" "$2" $((SECONDS - STEP_STARTED)))"); }
step() {
  STEP_STARTED=$SECONDS
  printf '\n\033[1;36m── %s\033[0m\n' "$*"
}
shown() {
  printf '\033[2m$ %s\033[0m\n' "$*"
  "$@"
}

demo_start() {
  step "0. A server, a repository, a reviewer"
  weir serve --state "$DEMO/state" --listen 127.0.0.1:0 2>"$DEMO/serve.log" &
  SERVER_PID=$!
  wait_until 20 test -f "$DEMO/state/server.json"
  URL=$(jq -r .url "$DEMO/state/server.json")
  wait_until 20 curl -fsS -o /dev/null "$URL/health"
  export WEIR_STATE=$DEMO/state
  "$VENV/bin/python" "$ROOT/examples/flights/demo/webhook.py" "$DEMO/webhook.port" >"$DEMO/alerts.txt" &
  WEBHOOK_PID=$!
  wait_until 10 test -s "$DEMO/webhook.port"
  weir secret set SLACK_WEBHOOK --value "http://127.0.0.1:$(cat "$DEMO/webhook.port")/hook"
  ALICE=$(weir token create alice --role approver)
  echo "server: $URL   state: $DEMO/state"

  REPO=$DEMO/flights
  mkdir -p "$REPO"
  cp -r examples/flights/. "$REPO"
  rm -rf "$REPO/demo"
  git -C "$REPO" init -q -b main
  git -C "$REPO" config user.name carol
  git -C "$REPO" config user.email carol@example.com
  git -C "$REPO" remote add weir "$URL/git/flights.git"
  git -C "$REPO" config credential.helper "!f() { echo username=carol; echo password=$(cat "$DEMO/state/keys/admin.token"); }; f"
}

wait_until() { # SECONDS COMMAND...
  local deadline=$((SECONDS + $1))
  shift
  until "$@" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || die "waited too long for: $* (see $DEMO/serve.log)"
    sleep 0.1
  done
}

push() { # MESSAGE
  git -C "$REPO" add -A
  git -C "$REPO" commit -qm "$1"
  printf '\033[2m$ git push weir main   # %s\033[0m\n' "$1"
  git -C "$REPO" push -q weir main
  RUN=$(weir runs --limit 1 --json | jq -r '.runs[0].id')
}

# Follows run $RUN to its end, approving as alice when it waits for her. Sets CONCLUSION.
follow_run() {
  local shown_jobs="" run jobs approval
  while :; do
    approval=$(curl -fsS "$URL/api/v1/approvals?state=pending" | jq -r '.approvals[0].id // empty')
    run=$(weir runs "$RUN" --json)
    jobs=$(jq -r '.jobs[] | select(.conclusion != null) | "  \(.conclusion)  \(.name)"' <<<"$run")
    comm -13 <(sort <<<"$shown_jobs") <(sort <<<"$jobs") | grep . || true
    shown_jobs=$jobs
    [ "$(jq -r .state <<<"$run")" = completed ] && break
    if [ -n "$approval" ]; then
      echo "  production waits for a reviewer"
      printf '\033[2m$ weir approve %s -m "numbers look right"   # as alice\033[0m\n' "$approval"
      WEIR_TOKEN=$ALICE weir approve "$approval" -m "numbers look right"
    fi
    sleep 0.3
  done
  CONCLUSION=$(jq -r .conclusion <<<"$run")
}

live_version() { curl -fsS "$URL/v2/models/flights" | jq -r '.versions[0]'; }

# Prints the verdict table of run $RUN's gate.
show_verdict() {
  weir logs "$RUN" --job evaluate | grep -A 12 -iE 'gate|rule' | grep -E 'auc|log_loss|latency|passed|refused' || true
}

demo_first_release() {
  step "1-2. A push: validate, train, evaluate, gate, register, stage, approve, release"
  push "Predict late arrivals"
  follow_run
  [ "$CONCLUSION" = success ] || die "the first run ended with $CONCLUSION: weir logs $RUN --state $DEMO/state"
  show_verdict
  result "first release" "version $(live_version) is live after alice approved"
}

demo_serve_rows() {
  step "3. Real rows through the gateway, by both protocols"
  printf '\033[2m$ python tests/smoke_test.py --server %s --name flights --version 1\033[0m\n' "$URL"
  (cd "$REPO" && "$VENV/bin/python" tests/smoke_test.py --server "$URL" --name flights --version "$(live_version)")
  result "served rows" "MLflow /invocations and Open Inference v2 agree"
}

# dave, a developer, works on a branch; the model of a pull request is never registered.
demo_pull_request() {
  step "4. A pull request: trained on what the merge would be, its report a comment with a plot"
  DAVE=$(weir token create dave --role developer)
  git -C "$REPO" checkout -q -b boosting
  git -C "$REPO" apply "$ROOT/examples/flights/demo/2-better.patch"
  sed -i 's/max_iter=60/max_iter=3/' "$REPO/scripts/train.py"
  push_branch "Use gradient boosting and all features"
  printf '\033[2m$ weir pr create   # as dave\033[0m\n'
  (cd "$REPO" && WEIR_TOKEN=$DAVE weir pr create)
  follow_pull_run
  show_report
  printf '\033[2m$ weir pr merge 1   # as dave\033[0m\n'
  (cd "$REPO" && WEIR_TOKEN=$DAVE weir pr merge 1) && die "it was merged without a review"

  sed -i 's/max_iter=3/max_iter=60/' "$REPO/scripts/train.py"
  push_branch "Boost for longer"
  follow_pull_run
  show_report
  [ "$(pull '[.comments[] | select(.body | contains("weir: report"))] | length')" = 1 ] || die "the report was said again"
  result "pull request" "two pushes, one report with a plot; merged once reviewed"
}

demo_better_model() {
  step "5. Reviewed and merged: scored on the champion's rows, switched blue-green"
  printf '\033[2m$ weir pr review 1 --approve   # as alice\033[0m\n'
  (cd "$REPO" && WEIR_TOKEN=$ALICE weir pr review 1 --approve --body "The curve is above the old one.")
  printf '\033[2m$ weir pr merge 1   # as dave\033[0m\n'
  (cd "$REPO" && WEIR_TOKEN=$DAVE weir pr merge 1)
  git -C "$REPO" checkout -q main
  git -C "$REPO" pull -q weir main
  wait_until 20 sh -c "weir runs --limit 1 --json | jq -e '.runs[0].event == \"push\"' >/dev/null"
  RUN=$(weir runs --limit 1 --json | jq -r '.runs[0].id')
  follow_run
  [ "$CONCLUSION" = success ] || die "the run of the merge ended with $CONCLUSION"
  show_verdict
  result "better model" "version $(live_version) is live, the one before stays warm"
}

push_branch() { # MESSAGE
  git -C "$REPO" -c user.name=dave -c user.email=dave@example.com commit -qam "$1"
  printf '\033[2m$ git push weir boosting   # %s\033[0m\n' "$1"
  git -C "$REPO" -c credential.helper= -c credential.helper="!f() { echo username=dave; echo password=$DAVE; }; f" \
    push -q weir boosting
}

pull() { curl -fsS "$URL/api/v1/repos/flights/pulls/1" | jq -r "$1"; } # JQ

# Follows the run of what dave has pushed; its required check has to be green.
follow_pull_run() {
  local head
  head=$(git -C "$REPO" rev-parse HEAD)
  wait_until 20 sh -c "curl -fsS $URL/api/v1/repos/flights/pulls/1 | jq -e '.head.sha == \"$head\" and (.runs | length) > 0' >/dev/null"
  RUN=$(pull '.runs[0].id')
  follow_run
  [ "$CONCLUSION" = success ] || die "the run of the pull request ended with $CONCLUSION"
}

# The report as people read it, and the picture in it as the dashboard gets it.
show_report() {
  local body address
  body=$(pull '[.comments[] | select(.body | contains("weir: report"))][-1].body')
  grep -E '^(#|\||✓|✗)' <<<"$body" || die "the pull request has no report"
  address=$(grep -oE '/api/v1/repos/flights/attachments/[0-9a-f]{64}' <<<"$body") || die "the report shows no plot"
  curl -fsS -o "$DEMO/plot.png" "$URL$address"
  [ "$(head -c 4 "$DEMO/plot.png" | tail -c 3)" = PNG ] || die "$URL$address is no picture"
  echo "plot: $URL$address   dashboard: $URL/#/pulls/flights/1"
}

demo_bug() {
  step "6. A commit with a bug that ruins the model"
  git -C "$REPO" apply "$ROOT/examples/flights/demo/3-bug.patch"
  local before
  before=$(live_version)
  push "Sort the features for better compression"
  follow_run
  show_verdict
  [ "$CONCLUSION" = failure ] || die "the gate let the ruined model pass"
  [ "$(live_version)" = "$before" ] || die "production moved"
  git -C "$REPO" revert --no-edit HEAD >/dev/null
  wait_until 20 grep -qi "gate\|refused\|failed" "$DEMO/alerts.txt"
  result "ruined model" "stopped by the gate; production untouched; alert sent"
}

demo_rollback() {
  step "7. Roll back under load"
  (cd "$REPO" && "$VENV/bin/python" - >"$DEMO/row.json" <<'PY'
import json, sys
sys.path.insert(0, "scripts")
import flights
rows = flights.load("2013-04-01", "2013-04-02").dropna().head(1)[flights.FEATURES]
print(json.dumps({"dataframe_split": rows.to_dict("split", index=False)}))
PY
  )
  hey -z 6s -c 4 -q 25 -m POST -T application/json -D "$DEMO/row.json" "$URL/flights/invocations" >"$DEMO/load.txt" &
  local load=$! before
  before=$(live_version)
  sleep 2
  shown weir rollback flights --reason "demo"
  wait "$load"
  grep -E 'Requests/sec|responses$' "$DEMO/load.txt"
  grep -qE '\[(4|5)[0-9]{2}\]|Error distribution' "$DEMO/load.txt" && die "requests failed: $DEMO/load.txt"
  [ "$(live_version)" != "$before" ] || die "the rollback did not change the version"
  result "rollback under load" "version $(live_version) is back; no request failed"
}

demo_year() {
  step "8. The year goes on, a day of flights at a time: March, then midsummer"
  shown weir deploy flights 2
  wait_until 60 sh -c "curl -fsS $URL/api/v1/approvals?state=pending | jq -e '.approvals | length > 0' >/dev/null"
  WEIR_TOKEN=$ALICE weir approve
  wait_until 60 sh -c "[ \"\$(curl -fsS $URL/v2/models/flights | jq -r '.versions[0]')\" = 2 ]"
  (cd "$REPO" && git push -q weir main) || true
  cancel_reverted_run

  local replay=("$VENV/bin/python" "$ROOT/examples/flights/demo/replay.py" --endpoint "$URL/flights")
  local alerts
  alerts=$(alert_count)
  "${replay[@]}" --from 2013-03-01 --to 2013-03-31
  sleep 1
  [ "$(alert_count)" = "$alerts" ] || die "a month like the training months raised an alarm"
  result "a month like the training months" "no alarm"

  STEP_STARTED=$SECONDS
  local day=2013-06-17 next started=""
  while [[ "$day" < 2013-07-20 && -z "$started" ]]; do
    next=$(date -u -d "$day + 6 days" +%F)
    "${replay[@]}" --from "$day" --to "$next"
    day=$(date -u -d "$next + 1 day" +%F)
    sleep 1
    started=$(weir runs --limit 5 --json | jq -r '[.runs[] | select(.event == "workflow_dispatch")][0].id // empty')
  done
  [ -n "$started" ] || die "summer came and nobody noticed: see $URL"
  tail -n 3 "$DEMO/alerts.txt"
  RUN=$started
  weir events --limit 200 --json | jq -r 'select(.type == "retrain.triggered") | "  retraining: \(.data.reasons)  data until \(.data.data_until)"'
  result "midsummer" "alert; retraining run $RUN started by itself with its reasons"
  STEP_STARTED=$SECONDS
  follow_run
  [ "$CONCLUSION" = success ] || die "the retraining run ended with $CONCLUSION"
  show_verdict
  result "retrained model" "passed the same gate; version $(live_version) is live"
}

alert_count() { weir events --limit 1000 --json | jq -r 'select(.type == "alert.fired" or .type == "drift.detected")' | jq -s length; }

# The revert of the bug trains the same model again; the story goes on without it.
cancel_reverted_run() {
  RUN=$(weir runs --limit 1 --json | jq -r '.runs[0] | select(.state != "completed") | .id // empty')
  [ -z "$RUN" ] || weir cancel "$RUN" --reason "same model as version 2" >/dev/null
}

demo_explain() {
  step "9. Why is that live? And how well does the line work?"
  shown weir why flights@production
  shown weir dora --days 1
  result "why and dora" "the chain and the four key figures, above"
}

demo_table() {
  printf '\n\033[1m%-34s %-58s %6s\033[0m\n' "WHAT" "OUTCOME" "TOOK"
  printf '%s\n' "${RESULTS[@]}"
  printf '\n%s in all. Dashboard: %s   (state: %s)\n' "$((SECONDS - STARTED)) s" "$URL" "$DEMO/state"
}
