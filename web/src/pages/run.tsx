import { useEffect, useMemo, useState } from 'preact/hooks';
import { get, post, useLoaded, type Happening } from '../api';
import { Card, State, Time, Waiting } from '../components/common';
import { JobGraph } from '../components/graph';
import { JobLog } from '../components/log';
import { lineAddress } from '../components/log_lines';
import { Markdown } from '../components/markdown';
import { Reuse } from '../components/reuse';
import { bytes, duration, shortCommit, shortRef } from '../format';
import { first } from '../graph';
import { runReason, t } from '../i18n';
import { placeOf } from '../log';
import type { Annotation, Job, LogFound, Run, WeirEvent } from '../types';

const isWebAddress = (address: string | null): address is string => address !== null && /^https?:\/\//.test(address);

// An annotation leads to the line that said it, wherever in the log that is.
function AnnotationRow({ job, annotation }: { job: Job; annotation: Annotation }) {
  const [missing, setMissing] = useState(false);
  // The marker first: the command that said it may hold the same words. A problem matcher's line is as it was printed.
  const show = async () => {
    const words = (annotation.message.split('\n')[0] ?? '').slice(0, 200);
    for (const wanted of [`##[${annotation.level}]${words}`, words]) {
      const answer = await get<LogFound>(`/jobs/${job.id}/log/search?limit=1&q=${encodeURIComponent(wanted)}`);
      const line = answer.lines[0];
      if (!line) continue;
      location.hash = lineAddress(job, line.at);
      return;
    }
    setMissing(true);
  };
  const level = annotation.level === 'error' || annotation.level === 'warning' ? annotation.level : 'notice';
  return (
    <li class={level}>
      <div><strong>{t(`${level}Word`)}{annotation.title ? `: ${annotation.title}` : ''}</strong> {annotation.file && <code>{placeOf(annotation)}</code>}<div class="message">{annotation.message}</div></div>
      <button type="button" disabled={missing} onClick={() => void show().catch(() => setMissing(true))}>{t('inLog')}</button>
    </li>
  );
}

function Preemptions({ job }: { job: Job }) {
  const loaded = useLoaded<{ events: WeirEvent[] }>(`/events?subject=job/${job.id}&limit=200`, (happening) => happening.kind === 'event' && happening.data.subject === `job/${job.id}`);
  const own = (loaded.value?.events ?? []).filter((event) => event.type === 'job.preempted');
  if (own.length === 0) return null;
  const last = own.reduce((a, b) => (a.sequence > b.sequence ? a : b));
  return <p class="note"><span aria-hidden="true">⏸</span> {own.length === 1 ? t('preemptedOnce') : t('preempted', { count: own.length })} <Time at={last.time} /></p>;
}

function Origin({ id }: { id: number }) {
  const origin = useLoaded<Job>(`/jobs/${id}`);
  return origin.value ? <a href={`#/runs/${origin.value.run}/jobs/${id}`}>{t('reusedFrom')}</a> : null;
}

// The run knows its jobs in outline; the one that is shown is asked for with its steps and annotations.
function JobCard({ outline, at }: { outline: Job; at: number | null }) {
  const loaded = useLoaded<Job>(`/jobs/${outline.id}`, (happening) => concernsJob(happening, outline));
  const job = loaded.value ?? outline;
  const address = isWebAddress(job.environment_url) ? job.environment_url : null;
  return (
    <Card title={<>{job.name} <State state={job.conclusion ?? job.state} /></>} action={<span class="muted">{duration(job.started_at, job.completed_at)}</span>}>
      {job.environment && <p>{t(job.deployment ? 'deploysTo' : 'uses')} <span class="tag">{job.environment}</span>{address && <a href={address} rel="noreferrer">{address}</a>}</p>}
      {job.calls && <p>{t('calls')} <code>{job.calls}</code></p>}
      {job.reason && <Reuse key={job.id} job={job} />}
      {job.waiting_for && job.state !== 'completed' && <p class="muted">{job.waiting_for}</p>}
      <Preemptions key={job.id} job={job} />
      {job.error && <p class="problem">{job.error}</p>}
      {job.annotations.length > 0 && <ul class="annotations" aria-label={t('annotations')}>{job.annotations.map((annotation, i) => <AnnotationRow key={i} job={job} annotation={annotation} />)}</ul>}
      {job.calls ? null : job.origin !== null ? <p class="muted">{t('noLogOfReused')} <Origin id={job.origin} /></p> : <JobLog job={job} at={at} />}
    </Card>
  );
}

export function RunPage({ id, job: named, at }: { id: string; job: number | null; at: number | null }) {
  const [error, setError] = useState<string | null>(null);
  const loaded = useLoaded<Run>(`/runs/${id}?outline=true`, (happening) => concerns(happening, id));
  const run = loaded.value;
  const jobs = useMemo(() => run?.jobs ?? [], [run]);
  const choose = (job: number) => { location.hash = `#/runs/${id}/jobs/${job}`; };
  useEffect(() => setError(null), [run?.state]);
  if (!run) return <Waiting error={loaded.error} />;
  const job = jobs.find((one) => one.id === named) ?? first(jobs);
  const act = (action: string, body: unknown = {}) => post(`/runs/${id}/${action}`, body).then(loaded.reload, (reason: Error) => setError(reason.message));
  return (
    <>
      <Card title={<>{run.workflow} <span class="muted">#{run.number}{run.attempt > 1 ? `.${run.attempt}` : ''}</span></>}
        action={<span class="actions">{run.state === 'completed' ? <button type="button" onClick={() => act('rerun')}>{t('rerun')}</button> : <button type="button" onClick={() => act('cancel')}>{t('cancel')}</button>}</span>}>
        <p><State state={run.conclusion ?? run.state} /> {run.title}</p>
        <p class="muted">{runReason(run.reason)} · {run.repo} {shortRef(run.ref)} <code>{shortCommit(run.commit)}</code> · <Time at={run.created_at} /> · {duration(run.started_at, run.completed_at)}</p>
        {error && <p class="problem" role="alert">{error}</p>}
        {run.problem && <pre class="problem">{run.problem}</pre>}
        {jobs.length > 0 && <JobGraph jobs={jobs} chosen={job?.id ?? null} onChoose={choose} />}
      </Card>
      {job && <JobCard outline={job} at={job.id === named ? at : null} />}
      {jobs.filter((one) => one.summary).map((one) => <Card key={one.id} title={`${t('summary')}: ${one.name}`}><Markdown text={one.summary} /></Card>)}
      {run.artifacts && run.artifacts.length > 0 && (
        <Card title={t('artifacts')}>
          <ul class="rows">{run.artifacts.map((artifact) => (
            <li key={artifact.id}><a href={`/api/v1/runs/${id}/artifacts/${encodeURIComponent(artifact.name)}`} download>{artifact.name}</a><span class="muted">{artifact.files.length} {t('files')}, {bytes(artifact.size_bytes)}</span></li>
          ))}</ul>
        </Card>
      )}
    </>
  );
}

function concernsJob(happening: Happening, job: Job): boolean {
  if (!concerns(happening, String(job.run))) return false;
  const of = happening.kind === 'live' ? happening.data.job : undefined;
  return of === undefined || of === job.id;
}

function concerns(happening: Happening, id: string): boolean {
  if (happening.kind === 'live') return String(happening.data.run) === id;
  return String(happening.data.subject) === `run/${id}` || String((happening.data.data as { run?: unknown })?.run) === id;
}
