import { useMemo, useState } from 'preact/hooks';
import { arrange, columnsOf, GAP_X, tally, type CallCell, type Placed, type Plan, type StackCell, type View } from '../graph';
import { t } from '../i18n';
import type { Job } from '../types';
import { State } from './common';

const PAGE = 1280, LEGS_PAGE = 120;

export function Tally({ jobs }: { jobs: Job[] }) {
  return <span class="tally">{tally(jobs).map(([state, count]) => <span key={state}>{count} <State state={state} /></span>)}</span>;
}

interface Hands {
  chosen: number | null; stack: string | null;
  choose: (id: number) => void; toggle: (id: string) => void; pick: (id: string, job: number) => void; openStack: (id: string) => void;
}

// Inside a call its name goes without saying.
const shortName = (job: Job): string => (job.parent === null ? job.name : job.name.replace(/^.* \/ /, ''));
const style = (one: Placed) => ({ left: `${one.x}px`, top: `${one.y}px`, width: `${one.width}px`, height: `${one.height}px` });

function CallBox({ at, cell, hands }: { at: Placed; cell: CallCell; hands: Hands }) {
  const many = cell.calls.length > 1;
  return (
    <div class={`call ${many ? 'many' : ''} ${hands.chosen === cell.job.id ? 'chosen' : ''}`} role="group" aria-label={cell.job.name} style={style(at)}>
      <div class="call-head">
        {cell.inside.length > 0 && <button type="button" class="fold" aria-expanded={cell.inner !== null} aria-label={`${t(cell.inner ? 'fold' : 'unfold')}: ${cell.job.name}`} onClick={() => hands.toggle(cell.id)}>{cell.inner ? '▾' : '▸'}</button>}
        {many ? (
          <select aria-label={t('callsOf', { count: cell.calls.length })} value={String(cell.job.id)} onChange={(event) => { hands.pick(cell.id, Number(event.currentTarget.value)); hands.choose(Number(event.currentTarget.value)); }}>
            {cell.calls.map((call) => <option key={call.id} value={String(call.id)}>{shortName(call)}</option>)}
          </select>
        ) : <button type="button" class="name" aria-pressed={hands.chosen === cell.job.id} onClick={() => hands.choose(cell.job.id)}>{shortName(cell.job)}</button>}
        {cell.inner && <State state={cell.job.conclusion ?? cell.job.state} />}
      </div>
      {cell.inner ? <div class="call-inner"><Layer plan={cell.inner} hands={hands} /></div> : <div class="call-sum">{cell.inside.length > 0 ? <Tally jobs={cell.inside} /> : <State state={cell.job.conclusion ?? cell.job.state} />}</div>}
    </div>
  );
}

function Layer({ plan, hands }: { plan: Plan; hands: Hands }) {
  return (
    <div class="graph" style={{ width: `${plan.width}px`, height: `${plan.height}px` }}>
      <svg width={plan.width} height={plan.height} aria-hidden="true">
        {plan.lines.map(({ id, from, to }) => {
          const middle = (from[0] + to[0]) / 2;
          return <path key={id} d={`M${from[0]} ${from[1]} C${middle} ${from[1]} ${middle} ${to[1]} ${to[0]} ${to[1]}`} />;
        })}
      </svg>
      {plan.cells.map((one) => {
        const { cell } = one;
        if (cell.kind === 'call') return <CallBox key={cell.id} at={one} cell={cell} hands={hands} />;
        if (cell.kind === 'stack') {
          return (
            <button key={cell.id} type="button" class={`node many ${hands.stack === cell.id ? 'chosen' : ''}`} aria-expanded={hands.stack === cell.id} style={style(one)} onClick={() => hands.openStack(cell.id)}>
              <strong>{cell.name} <span class="muted">× {cell.jobs.length}</span></strong>
              <Tally jobs={cell.jobs} />
            </button>
          );
        }
        return (
          <button key={cell.id} type="button" class={`node ${hands.chosen === cell.job.id ? 'chosen' : ''}`} aria-pressed={hands.chosen === cell.job.id} title={cell.job.name} style={style(one)} onClick={() => hands.choose(cell.job.id)}>
            <strong>{shortName(cell.job)}</strong>
            <span><State state={cell.job.conclusion ?? cell.job.state} />{cell.job.origin !== null && <span class="muted"> · {t('reused')}</span>}</span>
          </button>
        );
      })}
    </div>
  );
}

// The legs of a matrix: found by name and state, a page of them at a time.
function Legs({ cell, chosen, onChoose }: { cell: StackCell; chosen: number | null; onChoose: (id: number) => void }) {
  const [query, setQuery] = useState('');
  const [state, setState] = useState('');
  const [shown, setShown] = useState(LEGS_PAGE);
  const found = cell.jobs.filter((job) => (!state || (job.conclusion ?? job.state) === state) && job.name.toLowerCase().includes(query.toLowerCase()));
  return (
    <section class="legs" aria-label={cell.name}>
      <div class="actions">
        <input type="search" value={query} placeholder={t('search')} aria-label={`${t('search')}: ${cell.name}`} onInput={(event) => setQuery(event.currentTarget.value)} />
        <button type="button" aria-pressed={state === ''} onClick={() => setState('')}>{t('all')} {cell.jobs.length}</button>
        {tally(cell.jobs).map(([one, count]) => <button key={one} type="button" aria-pressed={state === one} onClick={() => setState(one)}>{count} <State state={one} /></button>)}
      </div>
      <ul>{found.slice(0, shown).map((job) => (
        <li key={job.id}><button type="button" class={chosen === job.id ? 'chosen' : ''} aria-pressed={chosen === job.id} onClick={() => onChoose(job.id)}><State state={job.conclusion ?? job.state} /> {shortName(job)}</button></li>
      ))}</ul>
      {found.length > shown && <button type="button" onClick={() => setShown(shown + LEGS_PAGE)}>{t('showMore', { count: found.length - shown })}</button>}
    </section>
  );
}

function findStack(plan: Plan, id: string): StackCell | null {
  for (const { cell } of plan.cells) {
    if (cell.kind === 'stack' && cell.id === id) return cell;
    const inner = cell.kind === 'call' && cell.inner ? findStack(cell.inner, id) : null;
    if (inner) return inner;
  }
  return null;
}

export function JobGraph({ jobs, chosen, onChoose }: { jobs: Job[]; chosen: number | null; onChoose: (id: number) => void }) {
  const [view, setView] = useState<View>({ toggled: new Set(), picked: new Map() });
  const [stack, setStack] = useState<string | null>(null);
  const plan = useMemo(() => {
    // Narrower nodes rather than a long chain of jobs that runs out of the page.
    const columns = columnsOf(arrange(jobs, view, 190));
    const room = Math.min(globalThis.innerWidth ?? PAGE, PAGE) - 90;
    return arrange(jobs, view, Math.max(130, Math.min(190, Math.floor((room + GAP_X) / Math.max(1, columns)) - GAP_X)));
  }, [jobs, view]);
  const hands: Hands = {
    chosen, stack, choose: onChoose,
    openStack: (id) => setStack(stack === id ? null : id),
    pick: (id, job) => setView({ ...view, picked: new Map(view.picked).set(id, job) }),
    toggle: (id) => {
      const toggled = new Set(view.toggled);
      if (!toggled.delete(id)) toggled.add(id);
      setView({ ...view, toggled });
    },
  };
  const open = stack === null ? null : findStack(plan, stack);
  return (
    <>
      <div class="scroll"><Layer plan={plan} hands={hands} /></div>
      {open && <Legs key={open.id} cell={open} chosen={chosen} onChoose={onChoose} />}
    </>
  );
}
