// What the REST API gives, as far as the pages use it.
export interface Step { index: number; name: string; state: string; conclusion: string | null; started_at: string | null; completed_at: string | null }
export interface Annotation { level: string; message: string; title?: string; file?: string; line?: number; step?: number }
export interface Job {
  id: number; run: number; key: string; name: string; needs: string[]; state: string; conclusion: string | null; started_at: string | null;
  completed_at: string | null; parent: number | null; calls: string | null; environment: string | null; environment_url: string | null; deployment: boolean;
  origin: number | null; reason: string; waiting_for?: string; error?: string; steps: Step[]; summary: string; annotations: Annotation[];
}
export interface Difference { kind: 'definition' | 'value' | 'need' | 'file'; name: string; change: 'changed' | 'new' | 'gone' }
export interface JobReuse {
  asked: boolean; reused: boolean; earlier: { job: number; run: number; number: number } | null; differences: Difference[]; differences_count: number;
  key: { commit: string; definition: string; values: string; parts: string[]; needs: Record<string, string>; every_file: boolean; files: { path: string; object: string }[]; files_count: number; folders: string[] } | null;
}
export interface Artifact { id: number; name: string; size_bytes: number; files: { path: string; size_bytes: number }[] }
export interface Run {
  id: number; number: number; attempt: number; workflow: string; repo: string; event: string; ref: string; commit: string;
  title: string; actor: string; state: string; conclusion: string | null; created_at: string; started_at: string | null;
  completed_at: string | null; reason: string; problem?: string; jobs?: Job[]; artifacts?: Artifact[];
}
export interface Triggers {
  schedules: { repo: string; path: string; cron: string; timezone: string; next: string | null }[];
  data: { repo: string; name: string; watch: string; state: string; changed_at: string | null; problem: string }[];
}
export interface LogLine { at: number; step: number; time: string; stream: string; text: string }
export interface LogAnswer { lines: LogLine[]; start: number; next: number; size: number; done: boolean }
export interface LogFound { lines: LogLine[]; next: number; size: number; done: boolean }
export interface Who { login: string; name?: string; run?: number; job?: number }
export interface Side { ref: string; sha: string; label: string }
export interface Review { id: number; user: Who | null; state: string; body: string; commit_id: string; submitted_at: string; dismissed_by: string | null; dismissal_message: string | null }
export interface Comment { id: number; user: Who | null; body: string; created_at: string; updated_at: string; path?: string | null; line?: number | null; hidden?: string }
export interface Check { name: string; state: string; description: string; url: string }
export interface Pull {
  number: number; repo: string; state: string; title: string; body: string | null; author: string; draft: boolean; merged: boolean; foreign: boolean;
  head: Side; base: Side; conflicts: string[]; user: Who | null; merge: { allowed: boolean; reasons: string[] }; waits_for_you: boolean;
  created_at: string; updated_at: string; merged_at: string | null; merged_by: Who | null;
  reviews?: Review[]; comments?: Comment[]; runs?: Run[]; checks?: Check[];
}
export interface Approval { id: number; environment: string; subject: string; summary: string; requested_by: string; requested_at: string; state: string; reviewers: string[]; run: number | null }
export interface EndpointEnvironment {
  name: string; wish: { model: string; version: string | null; state: string; reason: string };
  live: { version: string; since: string } | null; previous: { version: string } | null;
  workers: number; requests: number; errors: number; p50_ms: number; p95_ms: number;
}
export interface Endpoint { name: string; environments: EndpointEnvironment[] }
export interface DriftColumn { name: string; kind: string; psi: number; ks: number | null; chi2: number | null; p: number; drifted: boolean }
export interface DriftWindow { start: string; end: string; score: number | null; columns: DriftColumn[]; prediction_psi: number | null; accuracy_7d: number | null; labels: number; rows: number }
export interface ModelSummary { name: string; versions: number; aliases: Record<string, string>; live: Record<string, string> }
export interface Finding { rule: string; passed: boolean; reason: string; candidate: number | null; champion: number | null; limit: number | null; comparison: string }
export interface ModelVersion {
  version: string; run_id: string; workflow_run: number | null; stage: string; aliases: string[]; created_at: string;
  metrics: Record<string, number>; gate: { passed: boolean; findings: Finding[] } | null; live_in: string[];
}
export interface Alert { id: number; endpoint: string; alert: string; severity: string; message: string; fired_at: string; resolved_at: string | null }
export interface Notification {
  id: number; subject: string; target: string; text: string; severity: string; state: string; attempts: number; possibly_repeated: boolean;
  problem: string; created_at: string; last_attempt_at: string | null; next_attempt_at: string | null; digest: number | null;
}
export interface NotificationList { notifications: Notification[]; counts: Record<string, number> }
export interface WeirEvent { sequence: number; type: string; subject: string; time: string; actor: string; cause: number | null; data: Record<string, unknown> }
export interface Dora { deployments: number; deployments_per_day: number; lead_time_seconds: number | null; change_failure_rate: number | null; time_to_restore_seconds: number | null }
