import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { get, useHappening } from '../api';
import { bytes } from '../format';
import { t } from '../i18n';
import type { Job, LogAnswer, LogFound, LogLine } from '../types';
import { State } from './common';
import { Lines } from './log_lines';

const PART = 128 << 10, KEPT = 512 << 10, FOUND_MAX = 500;

interface Part { lines: LogLine[]; start: number; next: number; size: number; done: boolean }

const clock = (iso: string): string => new Date(iso).toLocaleTimeString([], { hour12: false });

// A log of any size: a window onto it that moves by scrolling, by the slider, to a step, to what was searched for. The
// server finds each place by its byte, so that the end of gigabytes is as near as the beginning.
export function LargeLog({ job, size, at }: { job: Job; size: number; at: number | null }) {
  const [part, setPart] = useState<Part | null>(null);
  const [target, setTarget] = useState<number | null>(at);
  const [error, setError] = useState<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const turn = useRef(0);
  const busy = useRef(false);
  const keep = useRef<{ id: string; top: number } | 'end' | 'target' | null>(null);

  const load = async (query: string, then: typeof keep.current): Promise<void> => {
    const own = ++turn.current;
    busy.current = true;
    try {
      const answer = await get<LogAnswer>(`/jobs/${job.id}/log?${query}&limit=${PART}`);
      if (own !== turn.current) return;
      keep.current = then;
      setPart(answer);
      setError(null);
    } catch (reason) {
      setError((reason as Error).message);
    } finally {
      if (own === turn.current) busy.current = false;
    }
  };
  const toEnd = () => load(`before=${Number.MAX_SAFE_INTEGER}`, 'end');
  const toPlace = (place: number) => { setTarget(place); return load(`near=${Math.max(0, place - (PART >> 2))}`, 'target'); };

  // What was at the top stays there while lines come before it, or go.
  const anchor = (): typeof keep.current => {
    const view = box.current;
    if (!view) return null;
    const top = view.getBoundingClientRect().top;
    for (const row of view.querySelectorAll<HTMLElement>('[id^=at-]')) {
      const offset = row.getBoundingClientRect().top - top;
      if (offset >= 0) return { id: row.id, top: offset };
    }
    return null;
  };
  const grow = async (where: 'before' | 'after'): Promise<void> => {
    if (!part || busy.current || (where === 'before' && part.start === 0)) return;
    const own = turn.current;
    busy.current = true;
    try {
      const answer = await get<LogAnswer>(`/jobs/${job.id}/log?${where}=${where === 'before' ? part.start : part.next}&limit=${PART}`);
      if (own !== turn.current) return;
      if (answer.lines.length === 0) return setPart({ ...part, size: answer.size, done: answer.done });
      keep.current = anchor();
      setPart(where === 'before'
        ? cut({ ...answer, lines: [...answer.lines, ...part.lines], next: part.next, done: part.done }, 'end')
        : cut({ ...answer, lines: [...part.lines, ...answer.lines], start: part.start }, 'start'));
    } catch (reason) {
      setError((reason as Error).message);
    } finally {
      if (own === turn.current) busy.current = false;
    }
  };

  useEffect(() => void (at !== null ? toPlace(at) : job.state === 'completed' && job.conclusion === 'success' ? load('after=0', null) : toEnd()), [job.id, at]);
  useLayoutEffect(() => {
    const view = box.current, wish = keep.current;
    keep.current = null;
    if (!view || wish === null) return;
    if (wish === 'end') view.scrollTop = view.scrollHeight;
    else if (wish === 'target') {
      // The line itself, or the first after the place that was meant.
      const line = part?.lines.find((one) => one.at >= (target ?? 0));
      const row = line && view.querySelector<HTMLElement>(`#at-${line.at}`);
      if (row) view.scrollTop = row.offsetTop - view.offsetTop - view.clientHeight / 3;
    } else {
      const row = view.querySelector<HTMLElement>(`#${wish.id}`);
      if (row) view.scrollTop += row.getBoundingClientRect().top - view.getBoundingClientRect().top - wish.top;
    }
  }, [part]);
  // Who looks at the end of a log that grows stays at its end.
  useHappening((happening) => {
    if (happening.kind !== 'live' || happening.data.job !== job.id || !box.current || busy.current) return;
    const view = box.current;
    if (part && part.next >= part.size && view.scrollHeight - view.scrollTop - view.clientHeight < 40) void toEnd();
  });

  const whole = Math.max(size, part?.size ?? 0);
  const place = part?.lines[0]?.at ?? 0;
  const onScroll = () => {
    const view = box.current;
    if (!view || busy.current || !part) return;
    if (view.scrollTop < 200) void grow('before');
    else if (view.scrollHeight - view.scrollTop - view.clientHeight < 200 && part.next < whole) void grow('after');
  };
  return (
    <div class="log large">
      <LogSearch job={job} onGo={(line) => void toPlace(line)} />
      <div class="actions steps" role="group" aria-label={t('steps')}>
        {job.steps.filter((step) => step.started_at !== null).map((step) => <button key={step.index} type="button" onClick={() => { setTarget(null); void load(`step=${step.index}`, null).then(() => { if (box.current) box.current.scrollTop = 0; }); }}><State state={step.conclusion ?? step.state} /> {step.name}</button>)}
      </div>
      <div class="actions place">
        <button type="button" onClick={() => void load('after=0', null).then(() => { if (box.current) box.current.scrollTop = 0; })}>{t('toStart')}</button>
        <input type="range" min="0" max="1000" value={whole === 0 ? 0 : Math.round((place / whole) * 1000)} aria-label={t('placeInLog')} aria-valuetext={`${bytes(place)} / ${bytes(whole)}`}
          onInput={(event) => { setTarget(null); void load(`near=${Math.floor((Number(event.currentTarget.value) / 1000) * whole)}`, null).then(() => { if (box.current) box.current.scrollTop = 201; }); }} />
        <button type="button" onClick={() => void toEnd()}>{t('toEnd')}</button>
        <span class="muted">{bytes(place)} / {bytes(whole)}</span>
      </div>
      {error && <p class="problem" role="alert">{error}</p>}
      {!part && !error && <p class="muted">{t('loading')}</p>}
      {part && (
        <div class="lines" tabIndex={0} role="region" aria-label={t('log')} ref={box} onScroll={onScroll}>
          {part.start > 0 && <button type="button" onClick={() => void grow('before')}>{t('earlier')}</button>}
          <Lines job={job} lines={part.lines} target={target} labels={(entry) => clock(entry.line.time)} />
          {part.next < whole && <button type="button" onClick={() => void grow('after')}>{t('later')}</button>}
        </div>
      )}
    </div>
  );
}

// Whole lines are dropped at the other side of where they come in, so that the page stays light.
function cut(part: Part, side: 'start' | 'end'): Part {
  if (part.next - part.start <= KEPT) return part;
  if (side === 'start') {
    const lines = part.lines.filter((line) => line.at >= part.next - KEPT);
    return { ...part, lines, start: lines[0]?.at ?? part.next };
  }
  const rest = part.lines.findIndex((line) => line.at >= part.start + KEPT);
  return rest < 0 ? part : { ...part, lines: part.lines.slice(0, rest), next: part.lines[rest]?.at ?? part.next, done: false };
}

// The server searches, a piece at a time; the first finds are there at once.
function LogSearch({ job, onGo }: { job: Job; onGo: (at: number) => void }) {
  const [query, setQuery] = useState('');
  const [found, setFound] = useState<LogLine[]>([]);
  const [progress, setProgress] = useState<number | null>(null);
  useEffect(() => {
    setFound([]);
    setProgress(null);
    if (query.length < 2) return;
    let stopped = false;
    const search = async () => {
      let next = 0, hits: LogLine[] = [];
      for (;;) {
        const answer = await get<LogFound>(`/jobs/${job.id}/log/search?q=${encodeURIComponent(query)}&after=${next}`);
        if (stopped) return;
        hits = [...hits, ...answer.lines];
        setFound(hits);
        const over = answer.done || answer.next === next || hits.length >= FOUND_MAX;
        setProgress(over ? 1 : answer.next / Math.max(1, answer.size));
        if (over) return;
        next = answer.next;
      }
    };
    const timer = setTimeout(() => void search().catch(() => setProgress(1)), 250);
    return () => { stopped = true; clearTimeout(timer); };
  }, [query, job.id]);
  return (
    <>
      <span class="actions"><input type="search" value={query} placeholder={t('searchLog')} aria-label={t('searchLog')} onInput={(event) => setQuery(event.currentTarget.value)} />
        {progress !== null && <span class="muted" role="status">{t('hits', { count: `${found.length}${found.length >= FOUND_MAX ? '+' : ''}` })}{progress < 1 ? ` · ${Math.round(progress * 100)} %` : ''}</span>}</span>
      {found.length > 0 && <ol class="found">{found.map((line) => <li key={line.at}><button type="button" onClick={() => onGo(line.at)}><span class="muted">{clock(line.time)}</span> {line.text.slice(0, 200)}</button></li>)}</ol>}
    </>
  );
}
