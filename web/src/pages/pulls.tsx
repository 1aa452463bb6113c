import { useRef, useState } from 'preact/hooks';
import { eventOf, patch, post, useLoaded, type Happening } from '../api';
import { Author, Card, nameOf, State, Time, Waiting } from '../components/common';
import { Tally } from '../components/graph';
import { Markdown } from '../components/markdown';
import { shortCommit } from '../format';
import { runReason, t } from '../i18n';
import type { Pull, Review, Run } from '../types';

const PAGE = 30;
const states = ['open', 'closed', 'all'] as const;
export const pullAddress = (pull: Pull): string => `#/pulls/${encodeURIComponent(pull.repo)}/${pull.number}`;
export const pullState = (pull: Pull): string => (pull.merged ? 'merged' : pull.state === 'open' && pull.draft ? 'draft' : pull.state);
export const pullsChange = eventOf('pull.', 'comment.', 'run.completed', 'status.', 'check.');

export function Pulls() {
  const [state, setState] = useState<(typeof states)[number]>('open');
  const [repo, setRepo] = useState('');
  const [skip, setSkip] = useState(0);
  const loaded = useLoaded<{ pulls: Pull[]; repos: string[] }>(`/pulls?state=${state}&repo=${encodeURIComponent(repo)}&skip=${skip}&limit=${PAGE}`, pullsChange);
  const list = loaded.value?.pulls;
  return (
    <Card title={t('pulls')} action={(
      <span class="actions">
        <select aria-label={t('repository')} value={repo} onChange={(event) => { setRepo(event.currentTarget.value); setSkip(0); }}>
          <option value="">{t('repository')}: {t('all')}</option>
          {(loaded.value?.repos ?? (repo ? [repo] : [])).map((one) => <option key={one} value={one}>{one}</option>)}
        </select>
        <span class="actions" role="group" aria-label={t('state')}>{states.map((one) => <button key={one} type="button" aria-pressed={state === one} onClick={() => { setState(one); setSkip(0); }}>{t(one)}</button>)}</span>
        {skip > 0 && <button type="button" onClick={() => setSkip(Math.max(0, skip - PAGE))}>{t('newer')}</button>}
        {list?.length === PAGE && <button type="button" onClick={() => setSkip(skip + PAGE)}>{t('older')}</button>}
      </span>
    )}>
      {!list ? <Waiting error={loaded.error} /> : list.length === 0 ? <p class="muted">{t('noPulls')}</p> : (
        <div class="scroll"><table>
          <thead><tr><th class="number">#</th><th>{t('state')}</th><th>{t('title')}</th><th>{t('repository')}</th><th>{t('branch')}</th><th>{t('author')}</th><th>{t('merge')}</th><th>{t('updated')}</th></tr></thead>
          <tbody>{list.map((pull) => (
            <tr key={`${pull.repo}/${pull.number}`}>
              <td class="number">{pull.number}</td><td><State state={pullState(pull)} /></td><td class="wide"><a href={pullAddress(pull)}>{pull.title}</a>{pull.waits_for_you && <span class="tag wait">{t('waitsForReview')}</span>}</td>
              <td>{pull.repo}</td><td><code>{pull.head.ref}</code> → <code>{pull.base.ref}</code></td><td>{nameOf(pull.user)}</td>
              <td class="wide">{pull.merged ? '' : pull.merge.allowed ? <span class="state good"><span aria-hidden="true">✓</span> {t('readyToMerge')}</span> : <span class="muted">{pull.merge.reasons.join('; ')}</span>}</td><td><Time at={pull.updated_at} /></td>
            </tr>
          ))}</tbody>
        </table></div>
      )}
    </Card>
  );
}

function Checks({ pull }: { pull: Pull }) {
  const runs = pull.runs ?? [], others = pull.checks ?? [];
  if (runs.length === 0 && others.length === 0) return <p class="muted">{t('noChecks')}</p>;
  return (
    <ul class="rows">
      {runs.map((run) => <RunRow key={run.id} run={run} />)}
      {others.map((check) => (
        <li key={check.name}><div><State state={check.state} /> <strong>{check.name}</strong> <span class="muted">{check.description}</span></div>{/^https?:\/\//.test(check.url) ? <a href={check.url} rel="noreferrer">{check.url}</a> : null}</li>
      ))}
    </ul>
  );
}

const JOBS_SHOWN = 12;
function RunRow({ run }: { run: Run }) {
  const jobs = (run.jobs ?? []).filter((job) => job.calls === null);
  return (
    <li>
      <div>
        <State state={run.conclusion ?? run.state} /> <a href={`#/runs/${run.id}`}>{run.workflow} #{run.number}</a> <span class="muted">{runReason(run.reason)}</span>
        {run.problem && <pre class="problem">{run.problem}</pre>}
        {jobs.length > JOBS_SHOWN ? <div><Tally jobs={jobs} /></div> : (
          <ul class="jobs">{jobs.map((job) => <li key={job.id}><State state={job.conclusion ?? job.state} /> <a href={`#/runs/${run.id}/jobs/${job.id}`}>{job.name}</a>{job.error && <span class="muted"> {job.error}</span>}</li>)}</ul>
        )}
      </div>
      <Time at={run.created_at} />
    </li>
  );
}

const verdicts = ['APPROVED', 'CHANGES_REQUESTED'];
function Reviews({ pull, path, act, busy }: { pull: Pull; path: string; act: Act; busy: boolean }) {
  const reviews: Review[] = pull.reviews ?? [];
  const dismiss = (review: Review) => {
    const message = prompt(t('whyDismiss', { name: nameOf(review.user) }))?.trim();
    if (message) act(() => post(`${path}/reviews/${review.id}/dismiss`, { message }));
  };
  if (reviews.length === 0) return <p class="muted">{t('noReviews')}</p>;
  return (
    <ul class="rows">{reviews.map((review) => (
      <li key={review.id}>
        <div><Author who={review.user} /> <State state={review.state.toLowerCase()} /> {review.commit_id !== pull.head.sha && <span class="muted">({t('ofOlder')} <code>{shortCommit(review.commit_id)}</code>)</span>}
          {review.body && <Markdown text={review.body} />}
          {review.dismissed_by && <p class="muted">{t('dismissedBy', { name: review.dismissed_by })}: {review.dismissal_message}</p>}</div>
        <span class="actions">{pull.state === 'open' && verdicts.includes(review.state) && <button type="button" disabled={busy} onClick={() => dismiss(review)}>{t('dismiss')}</button>}<Time at={review.submitted_at} /></span>
      </li>
    ))}</ul>
  );
}

type Act = (work: () => Promise<unknown>) => void;

function Say({ pull, path, act, busy }: { pull: Pull; path: string; act: Act; busy: boolean }) {
  const [text, setText] = useState('');
  const review = (state: string) => act(() => post(`${path}/reviews`, { state, body: text }).then(() => setText('')));
  const comment = () => act(() => post(`${path}/comments`, { body: text }).then(() => setText('')));
  return (
    <form class="say" onSubmit={(event) => { event.preventDefault(); if (text.trim()) comment(); }}>
      <label for="say">{t('yourReview')}</label>
      <textarea id="say" rows={4} value={text} onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) event.currentTarget.form?.requestSubmit(); }} />
      <span class="actions">
        <button type="submit" disabled={busy || !text.trim()}>{t('send')}</button>
        {pull.state === 'open' && <button type="button" class="primary" disabled={busy} onClick={() => review('approve')}>{t('approve')}</button>}
        {pull.state === 'open' && <button type="button" disabled={busy} onClick={() => review('request-changes')}>{t('requestChanges')}</button>}
      </span>
    </form>
  );
}

function Merging({ pull, path, act, busy }: { pull: Pull; path: string; act: Act; busy: boolean }) {
  const merge = (method: string) => {
    if (confirm(t('confirmMerge', { head: pull.head.ref, base: pull.base.ref }))) act(() => post(`${path}/merge`, { method, head: pull.head.sha }));
  };
  if (pull.merged) return <p><State state="merged" /> {t('mergedBy', { name: nameOf(pull.merged_by) })} <Time at={pull.merged_at} /></p>;
  return (
    <>
      {pull.merge.allowed ? <p class="state good"><span aria-hidden="true">✓</span> {t('readyToMerge')}</p> : (
        <><p class="state bad"><span aria-hidden="true">✗</span> {t('notReady')}</p><ul class="reasons">{pull.merge.reasons.map((reason) => <li key={reason}>{reason}</li>)}</ul></>
      )}
      <span class="actions">
        {pull.state === 'open' && <button type="button" class="primary" disabled={busy || !pull.merge.allowed} onClick={() => merge('merge')}>{t('merge')}</button>}
        {pull.state === 'open' && <button type="button" disabled={busy || !pull.merge.allowed} onClick={() => merge('squash')}>{t('squash')}</button>}
        {pull.state === 'open' && <button type="button" disabled={busy || !pull.merge.allowed} onClick={() => merge('rebase')}>{t('rebase')}</button>}
        {pull.state === 'open' && pull.draft && <button type="button" disabled={busy} onClick={() => act(() => patch(path, { draft: false }))}>{t('readyForReview')}</button>}
        <button type="button" disabled={busy} onClick={() => act(() => patch(path, { state: pull.state === 'open' ? 'closed' : 'open' }))}>{t(pull.state === 'open' ? 'closePull' : 'reopen')}</button>
      </span>
    </>
  );
}

export function PullPage({ repo, number }: { repo: string; number: string }) {
  const path = `/repos/${encodeURIComponent(repo)}/pulls/${encodeURIComponent(number)}`;
  const runs = useRef<Run[]>([]);
  const loaded = useLoaded<Pull>(path, (happening) => concerns(happening, repo, number, runs.current));
  runs.current = loaded.value?.runs ?? [];
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const act: Act = (work) => {
    setBusy(true);
    work().then(() => setError(null), (reason: Error) => setError(reason.message)).finally(() => { setBusy(false); loaded.reload(); });
  };
  if (!loaded.value) return <Waiting error={loaded.error} />;
  const pull = loaded.value;
  const comments = pull.comments ?? [];
  return (
    <>
      <Card title={<>{pull.title} <span class="muted">{pull.repo} #{pull.number}</span></>} action={<a href="#/pulls">{t('pulls')}</a>}>
        <p><State state={pullState(pull)} /> {t('wantsTo', { name: nameOf(pull.user), head: pull.head.ref, base: pull.base.ref })} <code>{shortCommit(pull.head.sha)}</code> <span class="muted"><Time at={pull.created_at} /></span>
          {pull.foreign && <span class="tag">{t('foreign')}</span>}{pull.waits_for_you && <span class="tag wait">{t('waitsForReview')}</span>}</p>
        {pull.body ? <Markdown text={pull.body} /> : <p class="muted">{t('noText')}</p>}
      </Card>
      <Card title={t('merge')}>{error && <p class="problem" role="alert">{error}</p>}<Merging pull={pull} path={path} act={act} busy={busy} /></Card>
      <Card title={t('checks')}><Checks pull={pull} /></Card>
      <Card title={t('reviews')}><Reviews pull={pull} path={path} act={act} busy={busy} /></Card>
      <Card title={t('conversation')}>
        {comments.length === 0 && <p class="muted">{t('nothingSaid')}</p>}
        {comments.map((comment) => (
          <article class="comment" key={comment.id} aria-label={nameOf(comment.user)}>
            <header><Author who={comment.user} /> <span class="muted"><Time at={comment.created_at} />{comment.updated_at !== comment.created_at && <> · {t('edited')} <Time at={comment.updated_at} /></>}</span>{comment.path && <code>{comment.path}{comment.line ? `:${comment.line}` : ''}</code>}</header>
            {comment.hidden ? <details><summary class="muted">{t('hiddenAs', { reason: comment.hidden.replace('_', ' ') })}</summary><Markdown text={comment.body} /></details> : <Markdown text={comment.body} />}
          </article>
        ))}
        <Say pull={pull} path={path} act={act} busy={busy} />
      </Card>
    </>
  );
}

function concerns(happening: Happening, repo: string, number: string, runs: Run[]): boolean {
  const { data } = happening;
  if (happening.kind === 'live') return data.kind !== 'progress' && runs.some((run) => run.id === data.run);
  const subject = String(data.subject);
  if (subject === `pull/${repo}/${number}` || subject === `issue/${repo}/${number}`) return true;
  // A comment that was changed, a check or a status of the repository, a run that began for it.
  return subject === `repo/${repo}` || /^(run\.created|run\.completed|comment\.|status\.|check\.)/.test(String(data.type));
}
