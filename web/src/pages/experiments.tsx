import { useMemo } from 'preact/hooks';
import { useLoaded } from '../api';
import { Card, State, Time, Waiting } from '../components/common';
import { number } from '../format';
import { t } from '../i18n';

// What MLflow's REST API answers, as far as these pages use it. Numbers of 64 bits come as text or as numbers.
interface Experiment { experiment_id: string; name: string; creation_time: number }
interface Pair { key: string; value: string }
interface ExperimentRun {
  info: { run_id: string; run_name: string; experiment_id: string; status: string; start_time: number; end_time?: number };
  data: { metrics?: { key: string; value: number }[]; params?: Pair[]; tags?: Pair[] };
  inputs?: { dataset_inputs?: { dataset: { name: string; digest: string }; tags?: Pair[] }[] };
}

const MLFLOW = '/api/2.0/mlflow';
const PAGE = 200;
const states: Record<string, string> = { FINISHED: 'success', FAILED: 'failure', KILLED: 'cancelled', RUNNING: 'in_progress', SCHEDULED: 'queued' };
const time = (milliseconds: number): string => new Date(Number(milliseconds)).toISOString();
const isOwn = (tag: Pair): boolean => !tag.key.startsWith('mlflow.');

export function Experiments() {
  const loaded = useLoaded<{ experiments?: Experiment[] }>(`${MLFLOW}/experiments/search?max_results=1000`);
  if (!loaded.value) return <Waiting error={loaded.error} />;
  return (
    <Card title={t('experiments')}>
      <div class="scroll"><table>
        <thead><tr><th>{t('name')}</th><th>{t('created')}</th></tr></thead>
        <tbody>{(loaded.value.experiments ?? []).map((one) => (
          <tr key={one.experiment_id}><td><a href={`#/experiments/${one.experiment_id}`}>{one.name}</a></td><td><Time at={time(one.creation_time)} /></td></tr>
        ))}</tbody>
      </table></div>
    </Card>
  );
}

export function ExperimentPage({ id }: { id: string }) {
  const experiment = useLoaded<{ experiment: Experiment }>(`${MLFLOW}/experiments/get?experiment_id=${encodeURIComponent(id)}`);
  const query = useMemo(() => ({ experiment_ids: [id], max_results: PAGE, order_by: ['attributes.start_time DESC'] }), [id]);
  const loaded = useLoaded<{ runs?: ExperimentRun[] }>(`${MLFLOW}/runs/search`, undefined, query);
  if (!loaded.value || !experiment.value) return <Waiting error={loaded.error ?? experiment.error} />;
  const runs = loaded.value.runs ?? [];
  const names = (kind: 'params' | 'metrics') => [...new Set(runs.flatMap((run) => (run.data[kind] ?? []).map((one) => one.key)))].sort();
  const params = names('params'), metrics = names('metrics');
  return (
    <Card title={experiment.value.experiment.name}>
      {runs.length === 0 ? <p class="muted">{t('noExperimentRuns', { url: location.origin })}</p> : (
        <div class="scroll"><table>
          <thead><tr><th>{t('run')}</th><th>{t('state')}</th><th>{t('started')}</th>{metrics.map((name) => <th class="number" key={name}>{name}</th>)}{params.map((name) => <th key={name}>{name}</th>)}</tr></thead>
          <tbody>{runs.map((run) => {
            const values = new Map((run.data.metrics ?? []).map((one) => [one.key, one.value]));
            const texts = new Map((run.data.params ?? []).map((one) => [one.key, one.value]));
            return (
              <tr key={run.info.run_id}><td><a href={`#/experiments/${id}/runs/${run.info.run_id}`}>{run.info.run_name}</a></td><td><State state={states[run.info.status] ?? run.info.status} /></td>
                <td><Time at={time(run.info.start_time)} /></td>
                {metrics.map((name) => <td class="number" key={name}>{values.has(name) ? number(Number(values.get(name))) : ''}</td>)}
                {params.map((name) => <td key={name}>{texts.get(name)}</td>)}</tr>
            );
          })}</tbody>
        </table></div>
      )}
    </Card>
  );
}

function Pairs({ title, pairs }: { title: string; pairs: Pair[] }) {
  if (pairs.length === 0) return null;
  return <Card title={title}><div class="scroll"><table class="narrow"><tbody>{pairs.map((pair) => <tr key={pair.key}><th scope="row">{pair.key}</th><td class="wide">{pair.value}</td></tr>)}</tbody></table></div></Card>;
}

export function ExperimentRunPage({ id }: { id: string }) {
  const loaded = useLoaded<{ run: ExperimentRun }>(`${MLFLOW}/runs/get?run_id=${encodeURIComponent(id)}`);
  if (!loaded.value) return <Waiting error={loaded.error} />;
  const { info, data, inputs } = loaded.value.run;
  const datasets = (inputs?.dataset_inputs ?? []).map((one) => ({ key: one.tags?.find((tag) => tag.key === 'mlflow.data.context')?.value ?? one.dataset.name, value: `${one.dataset.name} ${one.dataset.digest}` }));
  return (
    <>
      <Card title={<>{info.run_name} <span class="muted">{id.slice(0, 8)}</span></>} action={<a href={`#/experiments/${info.experiment_id}`}>{t('experiment')}</a>}>
        <p><State state={states[info.status] ?? info.status} /> <span class="muted"><Time at={time(info.start_time)} /></span></p>
        <dl class="figures">{(data.metrics ?? []).map((metric) => <div key={metric.key}><dt>{metric.key}</dt><dd>{number(Number(metric.value))}</dd></div>)}</dl>
      </Card>
      <Pairs title={t('parameters')} pairs={data.params ?? []} />
      <Pairs title={t('datasets')} pairs={datasets} />
      <Pairs title={t('tags')} pairs={(data.tags ?? []).filter(isOwn)} />
    </>
  );
}
