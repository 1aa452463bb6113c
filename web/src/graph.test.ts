import { expect, test } from 'vitest';
import { arrange, BOX_HEAD, first, tally, type CallCell, type Plan } from './graph';
import { job } from './testing';
import type { Job } from './types';

const closed = { toggled: new Set<string>(), picked: new Map<string, number>() };
const draw = (jobs: Job[], view = closed): Plan => arrange(jobs, view, 190);
const ids = (plan: Plan) => plan.cells.map(({ cell }) => cell.id);
const callOf = (plan: Plan) => plan.cells.map(({ cell }) => cell).find((cell): cell is CallCell => cell.kind === 'call') as CallCell;

test('a job stands right of everything that it needs, and no two share a place', () => {
  const { cells, lines } = draw([job(1, 'a'), job(2, 'b', ['a']), job(3, 'c', ['a']), job(4, 'd', ['b', 'a'])]);
  const xs = [...new Set(cells.map((one) => one.x))];
  expect(cells.map((one) => xs.indexOf(one.x))).toEqual([0, 1, 1, 2]);
  expect(new Set(cells.map((one) => `${one.x},${one.y}`)).size).toBe(4);
  expect(lines.map((one) => one.id)).toEqual(['1>2', '1>3', '2>4', '1>4']);
});

test('a circle of needs, which the server refuses anyway, does not hang the page', () => {
  expect(draw([job(1, 'a', ['b']), job(2, 'b', ['a'])]).cells).toHaveLength(2);
});

const ship = (id: number, leg: string, more: Partial<Job> = {}): Job[] => [
  job(id, 'ship', ['build'], { name: `ship (${leg})`, calls: './ship.yml', ...more }),
  job(id + 1, `ship.${leg}/copy`, [], { parent: id }), job(id + 2, `ship.${leg}/check`, [`ship.${leg}/copy`], { parent: id }),
];

test('a call is a box around the jobs of the workflow that it calls, with lines of their own', () => {
  const plan = draw([job(1, 'build'), ...ship(2, 'eu'), job(9, 'report', ['ship'])]);
  const call = callOf(plan), box = plan.cells.find(({ cell }) => cell === call);
  expect(ids(plan)).toEqual(['1', ':ship', '9']);
  expect(plan.lines.map((one) => one.id)).toEqual(['1>:ship', ':ship>9']);
  expect(call.inner?.lines.map((one) => one.id)).toEqual(['3>4']);
  expect(box?.height).toBeGreaterThan(BOX_HEAD + (call.inner?.height ?? 0));
  expect(box?.width).toBeGreaterThan(call.inner?.width ?? 0);
});

test('a matrix of calls is one box that shows the call that was picked, unless one the call that failed', () => {
  const jobs = [job(1, 'build'), ...ship(2, 'eu'), ...ship(5, 'us', { conclusion: 'failure' })];
  const call = callOf(draw(jobs));
  expect(call.calls).toHaveLength(2);
  expect(call.inside.map((one) => one.id)).toEqual([3, 4, 6, 7]);
  expect(call.job.id).toBe(5);
  expect(callOf(draw(jobs, { toggled: new Set(), picked: new Map([[':ship', 2]]) })).job.id).toBe(2);
});

test('a call of many jobs is closed until somebody opens it, one of few open until it is closed', () => {
  const many = [job(1, 'big', [], { calls: './big.yml' }), ...Array.from({ length: 30 }, (_, i) => job(i + 2, `big/${i}`, [], { parent: 1 }))];
  expect(callOf(draw(many)).inner).toBeNull();
  expect(callOf(draw(many, { toggled: new Set([':big']), picked: new Map() })).inner?.cells).toHaveLength(30);
  expect(callOf(draw(ship(1, 'eu'), { toggled: new Set([':ship']), picked: new Map() })).inner).toBeNull();
});

test('calls within calls nest, and a call that was skipped has nothing in it', () => {
  const plan = draw([job(1, 'a', [], { calls: 'x' }), job(2, 'a/b', [], { calls: 'y', parent: 1 }), job(3, 'a/b/c', [], { parent: 2 }), job(4, 's', [], { calls: 'z', conclusion: 'skipped' })]);
  const outer = callOf(plan), inner = callOf(outer.inner as Plan);
  expect(ids(inner.inner as Plan)).toEqual(['3']);
  expect(outer.inside.map((one) => one.id)).toEqual([3]);
  expect(plan.cells.map(({ cell }) => cell.kind === 'call' && cell.inner === null)).toEqual([false, true]);
});

test('the legs of a large matrix are one stack with counts by state, drawn at once', () => {
  const legs = Array.from({ length: 1000 }, (_, i) => job(i + 1, 'test', [], { name: `test (${i})`, state: 'completed', conclusion: i % 100 === 0 ? 'failure' : 'success' }));
  const began = performance.now();
  const plan = draw([...legs, job(2000, 'report', ['test'])]);
  expect(performance.now() - began).toBeLessThan(100);
  expect(ids(plan)).toEqual([':test', '2000']);
  expect(plan.cells[0]?.cell).toMatchObject({ kind: 'stack', name: 'test' });
  expect(tally(legs)).toEqual([['failure', 10], ['success', 990]]);
});

test('what failed is shown first, a call never when there is something with a log', () => {
  expect(first([job(1, 'a'), job(2, 'b', [], { conclusion: 'failure' })])?.id).toBe(2);
  expect(first([job(1, 'a', [], { calls: 'x', conclusion: 'failure' }), job(2, 'a/b', [], { parent: 1 })])?.id).toBe(2);
  expect(first([])).toBeUndefined();
});
