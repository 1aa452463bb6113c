import { useState } from 'preact/hooks';
import { exact } from '../format';
import { t } from '../i18n';
import { annotate, fold, placeOf, read, type Entry } from '../log';
import type { Job, LogLine } from '../types';

const shapes: Record<string, string> = { error: '✗', warning: '▲', notice: 'ⓘ' };
const word = (mark: string) => t(mark === 'error' ? 'errorWord' : mark === 'warning' ? 'warningWord' : 'noticeWord');

// A part of a log that an address can name: its line begins at this byte.
export const lineAddress = (job: Job, at: number): string => `#/runs/${job.run}/jobs/${job.id}/${at}`;

function Line({ job, entry, label, target }: { job: Job; entry: Entry; label: string; target: boolean }) {
  const { line, mark, annotation } = entry;
  const told = mark === 'error' || mark === 'warning' || mark === 'notice' ? mark : null;
  return (
    <div class={`line ${line.stream} ${told ?? ''} ${mark === 'debug' || mark === 'command' ? mark : ''} ${target ? 'target' : ''}`} id={`at-${line.at}`}>
      <a class="place" href={lineAddress(job, line.at)} title={exact(line.time)}>{label}</a>
      <span class="text">
        {told && <strong><span aria-hidden="true">{shapes[told]}</span> {word(told)}: </strong>}{entry.text || ' '}
        {annotation && (annotation.title || annotation.file) && <span class="where"> {annotation.title && <em>{annotation.title}</em>} <code>{placeOf(annotation)}</code></span>}
      </span>
    </div>
  );
}

function Group({ job, title, at, entries, first, labels, target, open }: { job: Job; title: string; at: number; entries: Entry[]; first: number; labels: Labels; target: number | null; open: boolean }) {
  const [own, setOwn] = useState<boolean | null>(null);
  const shown = own ?? open;
  return (
    <div class="fold" id={`at-${at}`}>
      <button type="button" aria-expanded={shown} onClick={() => setOwn(!shown)}><span aria-hidden="true">{shown ? '▾' : '▸'}</span> {title} <span class="muted">{entries.length}</span></button>
      {shown && entries.map((entry, i) => <Line key={entry.line.at} job={job} entry={entry} label={labels(entry, first + i)} target={entry.line.at === target} />)}
    </div>
  );
}

export type Labels = (entry: Entry, index: number) => string;

// Lines are text nodes: nothing in them is taken for markup.
export function Lines({ job, lines, labels, target, flat }: { job: Job; lines: LogLine[]; labels: Labels; target: number | null; flat?: boolean }) {
  const entries = annotate(lines.map(read), job.annotations);
  const number = new Map(entries.map((entry, i) => [entry.line.at, i]));
  const pieces = flat ? entries.map((entry) => ({ kind: 'entry' as const, entry })) : fold(entries);
  return (
    <>{pieces.map((piece) => {
      if (piece.kind === 'entry') return <Line key={piece.entry.line.at} job={job} entry={piece.entry} label={labels(piece.entry, number.get(piece.entry.line.at) ?? 0)} target={piece.entry.line.at === target} />;
      const { title, at, entries: own } = piece.fold;
      const open = own.some((entry) => entry.line.at === target || entry.mark === 'error' || entry.mark === 'warning');
      return <Group key={`g${at}`} job={job} title={title} at={at} entries={own} first={(number.get(at) ?? 0) + 1} labels={labels} target={target} open={open} />;
    })}</>
  );
}
