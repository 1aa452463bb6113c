import { useEffect, useRef, useState } from 'preact/hooks';
import { get, useHappening } from '../api';
import { duration } from '../format';
import { t } from '../i18n';
import type { Job, LogAnswer, LogLine } from '../types';
import { State } from './common';
import { LargeLog } from './large_log';
import { Lines } from './log_lines';

// Up to this many bytes a log is here as a whole; of a larger one only the part that is looked at.
const WHOLE = 1 << 20;

export function JobLog({ job, at }: { job: Job; at: number | null }) {
  const [lines, setLines] = useState<LogLine[]>([]);
  const [size, setSize] = useState<number | null>(null);
  const position = useRef({ next: 0, done: false, busy: false, again: false, large: false });

  const readOn = async (): Promise<void> => {
    const place = position.current;
    if (place.done || place.large) return;
    if (place.busy) {
      place.again = true;
      return;
    }
    place.busy = true;
    try {
      do {
        place.again = false;
        const answer = await get<LogAnswer>(`/jobs/${job.id}/log?after=${place.next}`);
        if (position.current !== place) return;
        setSize(answer.size);
        place.large = answer.size > WHOLE;
        place.done = answer.done;
        place.again ||= answer.next !== place.next && !answer.done;
        place.next = answer.next;
        if (answer.lines.length > 0 && !place.large) setLines((before) => [...before, ...answer.lines]);
      } while (place.again && !place.large);
    } catch {
      if (position.current === place) setSize((before) => before ?? 0);
      // A job that was skipped has no log; one that has not begun gets it later.
    } finally {
      place.busy = false;
    }
  };

  useEffect(() => {
    position.current = { next: 0, done: false, busy: false, again: false, large: false };
    setLines([]);
    setSize(null);
    void readOn();
  }, [job.id]);
  useEffect(() => void readOn(), [job.state]);
  useHappening((happening) => {
    if (happening.kind === 'live' && happening.data.job === job.id) void readOn();
  });
  if (size === null) return <p class="muted">{t('loading')}</p>;
  if (size > WHOLE) return <LargeLog key={job.id} job={job} size={size} at={at} />;
  return <WholeLog key={job.id} job={job} lines={lines} at={at} />;
}

// All of it, folded by step.
function WholeLog({ job, lines, at }: { job: Job; lines: LogLine[]; at: number | null }) {
  const [query, setQuery] = useState('');
  const [toggled, setToggled] = useState<ReadonlyMap<number, boolean>>(new Map());
  const place = useRef<HTMLDivElement>(null);
  const isHere = at !== null && lines.some((line) => line.at === at);
  useEffect(() => {
    if (isHere) place.current?.querySelector(`#at-${at}`)?.scrollIntoView({ block: 'center' });
  }, [at, isHere]);

  const found = query ? lines.filter((line) => line.text.toLowerCase().includes(query.toLowerCase())) : lines;
  const steps = [{ index: -1, name: job.name, state: job.state, conclusion: job.conclusion, started_at: job.started_at, completed_at: job.completed_at }, ...job.steps];
  return (
    <div class="log" ref={place}>
      {lines.length > 0 && <span class="actions"><input type="search" value={query} placeholder={t('searchLog')} aria-label={t('searchLog')} onInput={(event) => setQuery(event.currentTarget.value)} />{query && <span class="muted" role="status">{t('hits', { count: found.length })}</span>}</span>}
      {lines.length === 0 && job.state === 'completed' && <p class="muted">{t('noLog')}</p>}
      {lines.length + job.steps.length > 0 && steps.map((step) => {
        const own = found.filter((line) => line.step === step.index);
        if (own.length === 0 && (step.index === -1 || query)) return null;
        const open = query !== '' || (toggled.get(step.index) ?? (step.conclusion === 'failure' || step.state === 'in_progress' || own.some((line) => line.at === at)));
        return (
          <details key={step.index} open={open} onToggle={(event) => {
            const next = event.currentTarget.open;
            if (next !== open) setToggled((before) => new Map(before).set(step.index, next));
          }}>
            <summary><State state={step.conclusion ?? step.state} /> <strong>{step.name}</strong> <span class="muted">{duration(step.started_at, step.completed_at)}</span></summary>
            {open && <div class="lines" tabIndex={0} role="region" aria-label={step.name}><Lines job={job} lines={own} target={at} flat={query !== ''} labels={(_, i) => String(i + 1)} /></div>}
          </details>
        );
      })}
    </div>
  );
}
