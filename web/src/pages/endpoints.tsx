import { useMemo, useState } from 'preact/hooks';
import { eventOf, post, useLoaded } from '../api';
import { Chart } from '../components/chart';
import { Card, Waiting } from '../components/common';
import { number } from '../format';
import { t } from '../i18n';
import type { DriftWindow, Endpoint } from '../types';
import { EndpointTable } from './overview';

const concerns = eventOf('rollout.', 'config.', 'alert.', 'drift.');

export function Endpoints() {
  const loaded = useLoaded<{ endpoints: Endpoint[] }>('/endpoints', concerns);
  return <Card title={t('endpoints')}>{loaded.value ? <EndpointTable endpoints={loaded.value.endpoints} /> : <Waiting error={loaded.error} />}</Card>;
}

export function EndpointPage({ name }: { name: string }) {
  const loaded = useLoaded<Endpoint>(`/endpoints/${encodeURIComponent(name)}`, concerns);
  const drift = useLoaded<{ windows: DriftWindow[] }>(`/endpoints/${encodeURIComponent(name)}/drift?limit=400`, concerns);
  const isLive = loaded.value?.environments.some((one) => one.name === 'production' && one.live) ?? false;
  const why = useLoaded<{ text: string }>(isLive ? `/why?subject=${encodeURIComponent(name)}%40production` : null, concerns);
  const [error, setError] = useState<string | null>(null);
  const windows = useMemo(() => [...(drift.value?.windows ?? [])].sort((a, b) => a.end.localeCompare(b.end)), [drift.value]);
  const times = useMemo(() => windows.map((window) => Date.parse(window.end) / 1000), [windows]);
  const shares = useMemo(() => [{ label: t('share'), values: windows.map((window) => window.score), color: '#1c86a3' }], [windows]);
  const accuracy = useMemo(() => [{ label: t('accuracy'), values: windows.map((window) => window.accuracy_7d), color: '#8a5cc2' }], [windows]);
  const last = windows.at(-1);
  if (!loaded.value) return <Waiting error={loaded.error} />;
  const endpoint = loaded.value;
  const rollBack = (environment: string, version: string) => {
    if (!confirm(t('confirmRollback', { endpoint: `${name}@${environment}`, version }))) return;
    post(`/endpoints/${encodeURIComponent(name)}/rollback`, { environment }).then(loaded.reload, (reason: Error) => setError(reason.message));
  };
  return (
    <>
      <Card title={name} action={<span class="actions">{endpoint.environments.filter((one) => one.previous).map((one) => (
        <button type="button" key={one.name} onClick={() => rollBack(one.name, one.previous?.version ?? '')}>{t('rollBack')}: {one.name} → {one.previous?.version}</button>))}</span>}>
        {error && <p class="problem" role="alert">{error}</p>}
        <EndpointTable endpoints={[endpoint]} />
      </Card>
      {windows.length > 0 && <Card title={t('drift')}><Chart times={times} series={shares} label={t('share')} /></Card>}
      {windows.some((window) => window.accuracy_7d !== null) && <Card title={t('accuracy')}><Chart times={times} series={accuracy} label={t('accuracy')} /></Card>}
      {last && last.columns.length > 0 && (
        <Card title={`${t('window')} ${last.start.slice(0, 10)} – ${last.end.slice(0, 10)}`}>
          <div class="scroll"><table>
            <thead><tr><th>{t('column')}</th><th class="number">PSI</th><th class="number">KS</th><th class="number">χ²</th><th class="number">p</th><th>{t('drift')}</th></tr></thead>
            <tbody>{last.columns.map((column) => (
              <tr key={column.name}><td>{column.name}</td><td class="number">{number(column.psi)}</td><td class="number">{column.ks == null ? '' : number(column.ks)}</td><td class="number">{column.chi2 == null ? '' : number(column.chi2)}</td><td class="number">{number(column.p)}</td><td>{column.drifted ? <span class="state bad">▲ {t('drift')}</span> : ''}</td></tr>
            ))}</tbody>
          </table></div>
        </Card>
      )}
      {why.value && <Card title={t('why')}><pre class="why">{why.value.text}</pre></Card>}
    </>
  );
}
