import { useEffect, useRef, useState } from 'preact/hooks';
import { get, useHappening } from '../api';
import { duration, exact } from '../format';
import { t } from '../i18n';
import type { Job, LogLine } from '../types';
import { State } from './common';

// The log of a job as it grows, folded by step. Lines are text nodes: nothing in them is taken for markup.
export function JobLog({ job }: { job: Job }) {
  const [lines, setLines] = useState<LogLine[]>([]);
  const [query, setQuery] = useState('');
  const position = useRef({ next: 0, done: false, busy: false });

  const readOn = async (): Promise<void> => {
    const at = position.current;
    if (at.busy || at.done) return;
    at.busy = true;
    try {
      for (;;) {
        const answer = await get<{ lines: LogLine[]; next: number; done: boolean }>(`/jobs/${job.id}/log?after=${at.next}`);
        if (position.current !== at) return;
        if (answer.lines.length > 0) setLines((before) => [...before, ...answer.lines]);
        at.done = answer.done;
        if (answer.next === at.next || answer.done) break;
        at.next = answer.next;
      }
    } catch {
      // A job that was skipped has no log; one that has not begun gets it later.
    } finally {
      at.busy = false;
    }
  };

  useEffect(() => {
    position.current = { next: 0, done: false, busy: false };
    setLines([]);
    void readOn();
  }, [job.id]);
  useEffect(() => void readOn(), [job.state]);
  useHappening((happening) => {
    if (happening.kind === 'live' && happening.data.job === job.id) void readOn();
  });

  const found = query ? lines.filter((line) => line.text.toLowerCase().includes(query.toLowerCase())) : lines;
  const steps = [{ index: -1, name: job.name, state: job.state, conclusion: job.conclusion, started_at: job.started_at, completed_at: job.completed_at }, ...job.steps];
  return (
    <div class="log">
      <input type="search" value={query} placeholder={t('search')} aria-label={t('search')} onInput={(event) => setQuery(event.currentTarget.value)} />
      {lines.length === 0 && job.state === 'completed' && <p class="muted">{job.error || t('noLog')}</p>}
      {steps.map((step) => {
        const own = found.filter((line) => line.step === step.index);
        if (step.index === -1 && own.length === 0) return null;
        return (
          <details key={step.index} open={query !== '' || step.conclusion === 'failure' || step.state === 'in_progress'}>
            <summary><State state={step.conclusion ?? step.state} /> <strong>{step.name}</strong> <span class="muted">{duration(step.started_at, step.completed_at)}</span></summary>
            <pre>{own.map((line, i) => <div key={i} class={`line ${line.stream}`} title={exact(line.time)}>{line.text || ' '}</div>)}</pre>
          </details>
        );
      })}
    </div>
  );
}
