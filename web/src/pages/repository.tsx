import { eventOf, useLoaded } from '../api';
import { Card, State, Time, Waiting } from '../components/common';
import { t } from '../i18n';
import type { Run, Triggers } from '../types';
import { RunTable } from './runs';

// Where a repository's address of GitHub's kind leads: how to clone it, its runs, and what starts them by itself.
export function RepositoryPage({ name }: { name: string }) {
  const query = encodeURIComponent(name);
  const runs = useLoaded<{ runs: Run[] }>(`/runs?limit=30&repo=${query}`, eventOf('run.'));
  const triggers = useLoaded<Triggers>(`/triggers?repo=${query}`, eventOf('data.', 'config.', 'repo.'));
  return (
    <>
      <Card title={name} action={<a href="#/pulls">{t('pulls')}</a>}>
        <p><code>git clone {location.origin}/weir/{name}.git</code></p>
      </Card>
      <TriggerCard loaded={triggers.value} error={triggers.error} />
      <Card title={t('runs')}>{runs.value ? <RunTable runs={runs.value.runs} /> : <Waiting error={runs.error} />}</Card>
    </>
  );
}

function TriggerCard({ loaded, error }: { loaded: Triggers | null | undefined; error: string | null }) {
  if (!loaded) return <Card title={t('triggers')}><Waiting error={error} /></Card>;
  if (loaded.data.length + loaded.schedules.length === 0) return null;
  return (
    <Card title={t('triggers')}>
      <div class="scroll">
        {loaded.data.length > 0 && (
          <table>
            <thead><tr><th>{t('watchedData')}</th><th>{t('state')}</th><th>{t('watchedPath')}</th><th>{t('lastChange')}</th><th>{t('problem')}</th></tr></thead>
            <tbody>{loaded.data.map((one) => (
              <tr key={one.name}><td>{one.name}</td><td><State state={one.state} /></td><td class="wide"><code>{one.watch}</code></td><td><Time at={one.changed_at} /></td><td class="wide">{one.problem}</td></tr>
            ))}</tbody>
          </table>
        )}
        {loaded.schedules.length > 0 && (
          <table>
            <thead><tr><th>{t('workflow')}</th><th>{t('schedule')}</th><th>{t('nextTime')}</th></tr></thead>
            <tbody>{loaded.schedules.map((one) => (
              <tr key={`${one.path} ${one.cron} ${one.timezone}`}><td>{one.path}</td><td><code>{one.cron}</code> {one.timezone}</td><td><Time at={one.next} /></td></tr>
            ))}</tbody>
          </table>
        )}
      </div>
    </Card>
  );
}
