import { eventOf, useLoaded } from '../api';
import { Card, State, Time, Waiting } from '../components/common';
import { number } from '../format';
import { t } from '../i18n';
import type { Finding, ModelSummary, ModelVersion } from '../types';

export function Models() {
  const loaded = useLoaded<{ models: ModelSummary[] }>('/models', eventOf('version.', 'alias.', 'rollout.', 'stage.'));
  if (!loaded.value) return <Waiting error={loaded.error} />;
  return (
    <Card title={t('models')}>
      {loaded.value.models.length === 0 ? <p class="muted">{t('noModels')}</p> : (
        <div class="scroll"><table>
          <thead><tr><th>{t('name')}</th><th class="number">{t('versions')}</th><th>{t('aliases')}</th><th>{t('live')}</th></tr></thead>
          <tbody>{loaded.value.models.map((model) => (
            <tr key={model.name}><td><a href={`#/models/${encodeURIComponent(model.name)}`}>{model.name}</a></td><td class="number">{model.versions}</td>
              <td>{Object.entries(model.aliases).map(([alias, version]) => <span class="tag" key={alias}>@{alias} {version}</span>)}</td>
              <td>{Object.entries(model.live).map(([environment, version]) => <span class="tag live" key={environment}>{environment} {version}</span>)}</td></tr>
          ))}</tbody>
        </table></div>
      )}
    </Card>
  );
}

function Verdict({ findings }: { findings: Finding[] }) {
  const value = (one: number | null) => (one === null ? '' : number(one));
  return (
    <div class="scroll"><table class="narrow">
      <thead><tr><th>{t('gate')}</th><th>{t('rule')}</th><th class="number">{t('candidate')}</th><th class="number">{t('champion')}</th><th class="number">{t('needed')}</th><th>{t('reason')}</th></tr></thead>
      <tbody>{findings.map((finding) => (
        <tr key={finding.rule}><td><State state={finding.passed ? 'passed' : 'refused'} /></td><td><code>{finding.rule}</code></td><td class="number">{value(finding.candidate)}</td><td class="number">{value(finding.champion)}</td>
          <td class="number">{finding.limit === null ? '' : `${finding.comparison} ${number(finding.limit)}`}</td><td class="muted">{finding.reason}</td></tr>
      ))}</tbody>
    </table></div>
  );
}

export function ModelPage({ name }: { name: string }) {
  const loaded = useLoaded<{ name: string; versions: ModelVersion[] }>(`/models/${encodeURIComponent(name)}`, eventOf('version.', 'alias.', 'rollout.', 'gate.', 'stage.'));
  if (!loaded.value) return <Waiting error={loaded.error} />;
  return (
    <>{loaded.value.versions.map((version) => (
      <Card key={version.version} title={<>{name} {version.version} {version.aliases.map((alias) => <span class="tag" key={alias}>@{alias}</span>)}{version.live_in.map((place) => <span class="tag live" key={place}>{place}</span>)}</>}
        action={<span class="muted">{t('registered')} <Time at={version.created_at} /></span>}>
        <div class="lineage" aria-label={t('why')}>
          {version.workflow_run && <><a href={`#/runs/${version.workflow_run}`}>{t('run')} {version.workflow_run}</a><span aria-hidden="true">→</span></>}
          <a href={`#/experiments/0/runs/${version.run_id}`}>{t('experimentRun')} <code>{version.run_id.slice(0, 8)}</code></a><span aria-hidden="true">→</span>
          {version.gate ? <><State state={version.gate.passed ? 'passed' : 'refused'} /><span aria-hidden="true">→</span></> : null}
          <span>{t('version')} {version.version}</span>
          {version.live_in.map((place) => <><span aria-hidden="true">→</span><a href={`#/endpoints/${place.split('@')[0]}`}>{place}</a></>)}
        </div>
        {version.gate && <Verdict findings={version.gate.findings} />}
        <dl class="figures">{Object.entries(version.metrics).map(([metric, value]) => <div key={metric}><dt>{metric}</dt><dd>{number(value)}</dd></div>)}</dl>
      </Card>
    ))}</>
  );
}
