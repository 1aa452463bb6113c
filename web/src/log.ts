import type { Annotation, LogLine } from './types';

// What the lines of a log mean: markers, groups that fold, annotations in their place.

export type Mark = 'error' | 'warning' | 'notice' | 'debug' | 'command' | 'group' | 'endgroup';
export interface Entry { line: LogLine; mark: Mark | null; text: string; annotation?: Annotation }
export interface Fold { title: string; at: number; entries: Entry[] }
export type Piece = { kind: 'entry'; entry: Entry } | { kind: 'fold'; fold: Fold };

const marker = /^##\[(error|warning|notice|debug|command|group|endgroup)\]/;
// Colours and cursor movements of terminals: a page has its own.
// eslint-disable-next-line no-control-regex
const escapes = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

export function read(line: LogLine): Entry {
  const found = line.stream === 'o' ? null : marker.exec(line.text);
  const text = line.text.slice(found ? found[0].length : 0);
  return { line, mark: found ? (found[1] as Mark) : null, text: text.includes('\u001b') ? text.replace(escapes, '') : text };
}

// Groups do not nest: a new one ends the one before, as on GitHub.
export function fold(entries: Entry[]): Piece[] {
  const pieces: Piece[] = [];
  let open: Fold | null = null;
  for (const entry of entries) {
    if (entry.mark === 'group') {
      open = { title: entry.text, at: entry.line.at, entries: [] };
      pieces.push({ kind: 'fold', fold: open });
    } else if (entry.mark === 'endgroup') {
      open = null;
    } else if (open) {
      open.entries.push(entry);
    } else {
      pieces.push({ kind: 'entry', entry });
    }
  }
  return pieces;
}

// Each annotation is shown at the line that said it.
export function annotate(entries: Entry[], annotations: Annotation[]): Entry[] {
  const left = [...annotations];
  return left.length === 0 ? entries : entries.map((entry) => {
    if (entry.mark !== 'error' && entry.mark !== 'warning' && entry.mark !== 'notice') return entry;
    const own = left.findIndex((one) => one.level === entry.mark && (one.step === undefined || one.step === entry.line.step) && (entry.text.includes(one.message.split('\n')[0] ?? '') || (one.file !== undefined && entry.text.includes(one.file))));
    return own < 0 ? entry : { ...entry, annotation: left.splice(own, 1)[0] as Annotation };
  });
}

export const placeOf = (annotation: Annotation): string => (annotation.file ? `${annotation.file}${annotation.line ? `:${annotation.line}` : ''}` : '');
