import { expect, test } from 'vitest';
import { annotate, fold, placeOf, read } from './log';
import { line } from './testing';

test('markers are read where the runner wrote them, never out of what a step printed', () => {
  expect(read(line(0, '##[error]It broke', 'e'))).toMatchObject({ mark: 'error', text: 'It broke' });
  expect(read(line(0, '##[group]not one', 'o'))).toMatchObject({ mark: null, text: '##[group]not one' });
  expect(read(line(0, '\u001b[31;1mred\u001b[0m \u001b]0;title\u0007text')).text).toBe('red text');
});

test('a group holds its lines, ends where the next begins, and may never end', () => {
  const lines = [line(0, '##[group]One', 'c'), line(1, 'a'), line(2, '##[endgroup]', 'c'), line(3, 'b'), line(4, '##[group]Two', 'c'), line(5, 'c'), line(6, '##[group]Three', 'c'), line(7, 'd')];
  expect(fold(lines.map(read)).map((piece) => (piece.kind === 'fold' ? [piece.fold.title, piece.fold.entries.map((one) => one.text)] : piece.entry.text))).toEqual([
    ['One', ['a']], 'b', ['Two', ['c']], ['Three', ['d']],
  ]);
});

test('the end of a group whose beginning is not here takes nothing away', () => {
  expect(fold([line(0, 'a'), line(1, '##[endgroup]', 'c'), line(2, 'b')].map(read))).toHaveLength(2);
});

test('an annotation stands at the line that said it, each at one', () => {
  const twice = [{ level: 'error', message: 'bad', file: 'a.py', line: 3, step: 0 }, { level: 'error', message: 'bad', file: 'b.py', step: 0 }];
  const entries = annotate([line(0, '##[error]bad', 'e'), line(1, '##[error]bad', 'e'), line(2, '##[error]bad', 'e', 1), line(3, 'bad')].map(read), twice);
  expect(entries.map((entry) => entry.annotation && placeOf(entry.annotation))).toEqual(['a.py:3', 'b.py', undefined, undefined]);
});
