import { useState } from 'preact/hooks';
import { eventOf, useLoaded } from '../api';
import { Card, State, Time, Waiting } from '../components/common';
import { duration, shortCommit, shortRef } from '../format';
import { t } from '../i18n';
import type { Run } from '../types';

export function RunTable({ runs }: { runs: Run[] }) {
  if (runs.length === 0) return <p class="muted">{t('noRuns', { url: location.origin })}</p>;
  return (
    <div class="scroll"><table>
      <thead><tr><th>{t('run')}</th><th>{t('state')}</th><th>{t('workflow')}</th><th>{t('title')}</th><th>{t('event')}</th><th>{t('branch')}</th><th>{t('commit')}</th><th class="number">{t('took')}</th><th>{t('started')}</th></tr></thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.id}>
            <td><a href={`#/runs/${run.id}`}>{run.id}</a></td><td><State state={run.conclusion ?? run.state} /></td><td>{run.workflow}</td><td class="wide">{run.title}</td>
            <td>{run.event}</td><td>{shortRef(run.ref)}</td><td><code>{shortCommit(run.commit)}</code></td><td class="number">{duration(run.started_at, run.completed_at)}</td><td><Time at={run.created_at} /></td>
          </tr>
        ))}
      </tbody>
    </table></div>
  );
}

export function Runs() {
  const [before, setBefore] = useState(0);
  const runs = useLoaded<{ runs: Run[] }>(`/runs?limit=50&before=${before}`, eventOf('run.'));
  const list = runs.value?.runs;
  return (
    <Card title={t('runs')} action={<span class="actions">{before > 0 && <button type="button" onClick={() => setBefore(0)}>{t('newer')}</button>}{list?.length === 50 && <button type="button" onClick={() => setBefore(list[list.length - 1]?.id ?? 0)}>{t('older')}</button>}</span>}>
      {list ? <RunTable runs={list} /> : <Waiting error={runs.error} />}
    </Card>
  );
}
