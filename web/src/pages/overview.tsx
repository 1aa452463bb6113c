import { eventOf, post, useLoaded } from '../api';
import { Card, nameOf, State, Time, Waiting } from '../components/common';
import { seconds } from '../format';
import { t } from '../i18n';
import type { Alert, Approval, Dora, Endpoint, Pull, Run } from '../types';
import { pullAddress, pullsChange } from './pulls';
import { RunTable } from './runs';
import { useState } from 'preact/hooks';

function ApprovalRow({ approval, onDone }: { approval: Approval; onDone: () => void }) {
  const [comment, setComment] = useState('');
  const [error, setError] = useState<string | null>(null);
  const decide = (action: 'approve' | 'reject') =>
    post(`/approvals/${approval.id}/${action}`, { comment }).then(onDone, (reason: Error) => setError(reason.message));
  return (
    <li>
      <div>
        <strong>{approval.environment}</strong> · {approval.summary}
        <div class="muted">{t('askedBy', { name: approval.requested_by })} <Time at={approval.requested_at} /> · {approval.reviewers.join(', ')}
          {approval.run ? <> · <a href={`#/runs/${approval.run}`}>{t('run')} {approval.run}</a></> : null}</div>
        {error && <p class="problem" role="alert">{error}</p>}
      </div>
      <div class="actions">
        <input value={comment} placeholder={t('comment')} aria-label={t('comment')} onInput={(event) => setComment(event.currentTarget.value)} />
        <button type="button" class="primary" onClick={() => decide('approve')}>{t('approve')}</button>
        <button type="button" onClick={() => decide('reject')}>{t('reject')}</button>
      </div>
    </li>
  );
}

export function Overview() {
  const approvals = useLoaded<{ approvals: Approval[] }>('/approvals?state=pending', eventOf('approval.'));
  const alerts = useLoaded<{ alerts: Alert[] }>('/alerts?open=true', eventOf('alert.'));
  const endpoints = useLoaded<{ endpoints: Endpoint[] }>('/endpoints', eventOf('rollout.', 'config.'));
  const runs = useLoaded<{ runs: Run[] }>('/runs?limit=8', eventOf('run.'));
  const dora = useLoaded<Dora>('/dora?days=30', eventOf('rollout.'));
  const pulls = useLoaded<{ pulls: Pull[] }>('/pulls?waiting=true', pullsChange);
  const reviews = pulls.value?.pulls ?? [];
  const waiting = approvals.value?.approvals ?? [];
  const open = alerts.value?.alerts ?? [];
  return (
    <>
      <Card title={t('waitsForYou')}>
        {waiting.length === 0 && open.length === 0 && reviews.length === 0 ? <p class="muted">{t('nothingWaits')}</p> : null}
        <ul class="rows">
          {waiting.map((approval) => <ApprovalRow key={approval.id} approval={approval} onDone={approvals.reload} />)}
          {reviews.map((pull) => (
            <li key={`${pull.repo}/${pull.number}`}><div><strong>{pull.repo}</strong> · <a href={pullAddress(pull)}>#{pull.number} {pull.title}</a><div class="muted">{nameOf(pull.user)} <Time at={pull.updated_at} /> · {t('waitsForReview')}</div></div><a class="button" href={pullAddress(pull)}>{t('pull')}</a></li>
          ))}
          {open.map((alert) => (
            <li key={`alert-${alert.id}`}><div><span class={`severity ${alert.severity}`}>{alert.severity}</span> <a href={`#/endpoints/${alert.endpoint}`}>{alert.endpoint}</a> {alert.message}</div><Time at={alert.fired_at} /></li>
          ))}
        </ul>
      </Card>
      <Card title={t('servesNow')} action={<a href="#/endpoints">{t('endpoints')}</a>}>
        {endpoints.value ? <EndpointTable endpoints={endpoints.value.endpoints} /> : <Waiting error={endpoints.error} />}
      </Card>
      <Card title={t('lastRuns')} action={<a href="#/runs">{t('runs')}</a>}>
        {runs.value ? <RunTable runs={runs.value.runs} /> : <Waiting error={runs.error} />}
      </Card>
      {dora.value && (
        <Card title={t('keyFigures')}>
          <dl class="figures">
            <div><dt>{t('deployments')}</dt><dd>{dora.value.deployments}</dd></div>
            <div><dt>{t('leadTime')}</dt><dd>{dora.value.lead_time_seconds == null ? '–' : seconds(dora.value.lead_time_seconds)}</dd></div>
            <div><dt>{t('failureRate')}</dt><dd>{dora.value.change_failure_rate == null ? '–' : `${Math.round(dora.value.change_failure_rate * 100)} %`}</dd></div>
            <div><dt>{t('restore')}</dt><dd>{dora.value.time_to_restore_seconds == null ? '–' : seconds(dora.value.time_to_restore_seconds)}</dd></div>
          </dl>
        </Card>
      )}
    </>
  );
}

export function EndpointTable({ endpoints }: { endpoints: Endpoint[] }) {
  if (endpoints.length === 0) return <p class="muted">{t('noEndpoints')}</p>;
  return (
    <div class="scroll"><table>
      <thead><tr><th>{t('name')}</th><th>{t('environment')}</th><th>{t('fact')}</th><th>{t('wish')}</th><th>{t('previous')}</th><th class="number">{t('requests')}</th><th class="number">{t('errors')}</th><th class="number">{t('latency')}</th></tr></thead>
      <tbody>
        {endpoints.flatMap((endpoint) => endpoint.environments.map((environment) => (
          <tr key={`${endpoint.name}@${environment.name}`}>
            <td><a href={`#/endpoints/${endpoint.name}`}>{endpoint.name}</a></td>
            <td>{environment.name}</td>
            <td>{environment.live ? <><a href={`#/models/${environment.wish.model}`}>{environment.wish.model}</a> {environment.live.version} <span class="muted"><Time at={environment.live.since} /></span></> : '–'}</td>
            <td>{environment.wish.version ?? '–'} {environment.wish.state && environment.wish.version !== environment.live?.version ? <State state={environment.wish.state} /> : null}{environment.wish.reason ? <div class="muted">{environment.wish.reason}</div> : null}</td>
            <td>{environment.previous?.version ?? '–'}</td>
            <td class="number">{environment.requests}</td><td class="number">{environment.errors}</td>
            <td class="number">{environment.p50_ms.toFixed(1)} / {environment.p95_ms.toFixed(1)} ms</td>
          </tr>
        )))}
      </tbody>
    </table></div>
  );
}
