import { useState } from 'preact/hooks';
import { post, useLoaded } from '../api';
import { Card, State, Time, Waiting } from '../components/common';
import { JobGraph } from '../components/graph';
import { JobLog } from '../components/log';
import { Markdown } from '../components/markdown';
import { bytes, duration, shortCommit, shortRef } from '../format';
import { t } from '../i18n';
import type { Run } from '../types';

export function RunPage({ id }: { id: string }) {
  const [chosen, setChosen] = useState<number | null>(null);
  const [error, setError] = useState<string | null>(null);
  const loaded = useLoaded<Run>(`/runs/${id}`, (happening) =>
    happening.kind === 'live' ? String(happening.data.run) === id : String(happening.data.subject) === `run/${id}` || String((happening.data.data as { run?: unknown })?.run) === id);
  const run = loaded.value;
  if (!run) return <Waiting error={loaded.error} />;
  const jobs = run.jobs ?? [];
  const job = jobs.find((one) => one.id === chosen) ?? jobs.find((one) => one.conclusion === 'failure') ?? jobs.find((one) => one.state === 'in_progress') ?? jobs[0];
  const act = (action: string) => post(`/runs/${id}/${action}`).then(loaded.reload, (reason: Error) => setError(reason.message));
  return (
    <>
      <Card title={<>{run.workflow} <span class="muted">#{run.number}{run.attempt > 1 ? `.${run.attempt}` : ''}</span></>}
        action={<span class="actions">{run.state === 'completed' ? <button type="button" onClick={() => act('rerun')}>{t('rerun')}</button> : <button type="button" onClick={() => act('cancel')}>{t('cancel')}</button>}</span>}>
        <p><State state={run.conclusion ?? run.state} /> {run.title}</p>
        <p class="muted">{run.reason} · {run.repo} {shortRef(run.ref)} <code>{shortCommit(run.commit)}</code> · <Time at={run.created_at} /> · {duration(run.started_at, run.completed_at)}</p>
        {error && <p class="problem" role="alert">{error}</p>}
        {run.problem && <pre class="problem">{run.problem}</pre>}
        {jobs.length > 0 && <div class="scroll"><JobGraph jobs={jobs} chosen={job?.id ?? null} onChoose={setChosen} /></div>}
      </Card>
      {job && (
        <Card title={<>{job.name} <State state={job.conclusion ?? job.state} /></>}
          action={job.environment_url && /^https?:\/\//.test(job.environment_url) ? <a href={job.environment_url} rel="noreferrer">{job.environment}: {job.environment_url}</a> : undefined}>
          {job.waiting_for && job.state === 'waiting' && <p class="muted">{job.waiting_for}</p>}
          {job.error && <p class="problem">{job.error}</p>}
          {job.annotations.map((annotation, i) => <p key={i} class={annotation.level === 'error' ? 'problem' : 'muted'}>{annotation.file ? `${annotation.file}:${annotation.line ?? ''} ` : ''}{annotation.message}</p>)}
          <JobLog job={job} />
        </Card>
      )}
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
