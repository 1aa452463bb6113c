import { expect, test } from 'vitest';
import { layout } from './components/graph';
import type { Job } from './types';

const job = (id: number, key: string, needs: string[]): Job => ({
  id, key, name: key, needs, state: 'queued', conclusion: null, started_at: null, completed_at: null, environment: '', environment_url: null, steps: [], summary: '', annotations: [],
});

test('a job stands right of everything that it needs, and no two share a place', () => {
  const nodes = layout([job(1, 'a', []), job(2, 'b', ['a']), job(3, 'c', ['a']), job(4, 'd', ['b', 'a'])]);
  expect(nodes.map((node) => [node.column, node.row])).toEqual([[0, 0], [1, 0], [1, 1], [2, 0]]);
});

test('a circle of needs, which the server refuses anyway, does not hang the page', () => {
  expect(layout([job(1, 'a', ['b']), job(2, 'b', ['a'])])).toHaveLength(2);
});
