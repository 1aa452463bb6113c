import type { ComponentChildren } from 'preact';
import { exact, ago } from '../format';
import { stateWord, t } from '../i18n';
import type { Who } from '../types';

const tones: Record<string, string> = {
  success: 'good', granted: 'good', passed: 'good', live: 'good', failure: 'bad', timed_out: 'bad', rejected: 'bad', refused: 'bad',
  error: 'bad', action_required: 'bad', changes_requested: 'bad', approved: 'good', merged: 'good', open: 'busy', in_progress: 'busy', loading: 'busy', waiting: 'wait', queued: 'wait', pending: 'wait', sent: 'good', retrying: 'bad', given_up: 'bad', held: 'wait', watching: 'good', changing: 'busy', absent: 'wait', problem: 'bad',
};
const shapes: Record<string, string> = { good: '✓', bad: '✗', busy: '●', wait: '○' };

// Shape, word and colour: never colour alone.
export function State({ state }: { state: string }) {
  const tone = tones[state] ?? 'idle';
  return <span class={`state ${tone}`}><span aria-hidden="true">{shapes[tone] ?? '–'}</span> {stateWord(state)}</span>;
}

export function Time({ at }: { at: string | null | undefined }) {
  return at ? <time dateTime={at} title={exact(at)}>{ago(at)}</time> : null;
}

// A person by their login, a job by what it is called and where it is shown.
export const nameOf = (who: Who | null | undefined): string => who?.name ?? who?.login ?? '';
export function Author({ who }: { who: Who | null | undefined }) {
  return <strong>{who?.run && who.job ? <a href={`#/runs/${who.run}/jobs/${who.job}`}>{nameOf(who)}</a> : nameOf(who)}</strong>;
}

export function Card({ title, children, action }: { title: ComponentChildren; children: ComponentChildren; action?: ComponentChildren }) {
  return (
    <section class="card">
      <header><h2>{title}</h2>{action}</header>
      {children}
    </section>
  );
}

export function Waiting({ error }: { error: string | null }) {
  return error ? <p class="problem" role="alert">{error}</p> : <p class="muted">{t('loading')}</p>;
}
