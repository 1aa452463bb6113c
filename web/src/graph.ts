import type { Job } from './types';

// The jobs of a run as boxes with places: in columns by what they need, a call as a box around the jobs of the workflow
// that it calls, the legs of a matrix one by one or, when they are many, as one stack.

export interface JobCell { kind: 'job'; id: string; job: Job }
export interface StackCell { kind: 'stack'; id: string; name: string; jobs: Job[] }
export interface CallCell { kind: 'call'; id: string; job: Job; calls: Job[]; inside: Job[]; inner: Plan | null }
export type Cell = JobCell | StackCell | CallCell;
export interface Placed { cell: Cell; x: number; y: number; width: number; height: number }
export interface Line { id: string; from: [number, number]; to: [number, number] }
export interface Plan { cells: Placed[]; lines: Line[]; width: number; height: number }

// What the viewer chose: boxes that are not as they are by themselves, and which call of a matrix of calls is shown.
export interface View { toggled: ReadonlySet<string>; picked: ReadonlyMap<string, number> }

export const LEGS_SHOWN = 6, JOBS_SHOWN = 12;
export const NODE_HEIGHT = 54, STACK_HEIGHT = 78, GAP_X = 30, GAP_Y = 14, BOX_HEAD = 38, BOX_PAD = 12;

const order = ['failure', 'timed_out', 'cancelled', 'in_progress', 'waiting', 'queued', 'pending', 'success', 'skipped'];
export const stateOf = (job: Job): string => job.conclusion ?? job.state;

// How many are in which state, what needs a look first.
export function tally(jobs: Job[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const job of jobs) counts.set(stateOf(job), (counts.get(stateOf(job)) ?? 0) + 1);
  const rank = (state: string) => (order.indexOf(state) + order.length + 1) % (order.length + 1);
  return [...counts].sort(([a], [b]) => rank(a) - rank(b));
}

// The job that a page shows unless somebody chose one: what failed, else what runs, else the first that has a log.
export function first(jobs: Job[]): Job | undefined {
  const own = jobs.filter((job) => job.calls === null);
  const has = (state: string) => own.find((job) => stateOf(job) === state);
  return has('failure') ?? has('timed_out') ?? has('in_progress') ?? own[0] ?? jobs[0];
}

interface Group { key: string; needs: string[]; cells: Cell[] }

export function arrange(jobs: Job[], view: View, nodeWidth: number): Plan {
  const known = new Set(jobs.map((job) => job.id));
  const children = new Map<number | null, Job[]>();
  for (const job of jobs) {
    const parent = job.parent !== null && known.has(job.parent) ? job.parent : null;
    const list = children.get(parent);
    if (list) list.push(job); else children.set(parent, [job]);
  }
  const below = (id: number): Job[] => (children.get(id) ?? []).flatMap((job) => (job.calls === null ? [job] : below(job.id)));

  const callCell = (id: string, calls: Job[]): CallCell => {
    const picked = calls.find((one) => one.id === view.picked.get(id)) ?? calls.find((one) => stateOf(one) === 'failure') ?? calls.find((one) => one.state === 'in_progress') ?? (calls[0] as Job);
    const inside = calls.length > 1 ? calls.flatMap((one) => below(one.id)) : below(picked.id);
    const own = children.get(picked.id) ?? [];
    const small = below(picked.id).length <= JOBS_SHOWN;
    const open = own.length > 0 && small !== view.toggled.has(id);
    return { kind: 'call', id, job: picked, calls, inside, inner: open ? plan(picked.id) : null };
  };

  const group = (key: string, legs: Job[], scope: string): Group => {
    const head = legs[0] as Job;
    const id = `${scope}:${key}`;
    const cells: Cell[] = head.calls !== null ? [callCell(id, legs)]
      : legs.length > LEGS_SHOWN ? [{ kind: 'stack', id, name: (head.parent === null ? head.name : head.name.replace(/^.* \/ /, '')).replace(/ \(.*\)$/, ''), jobs: legs }]
        : legs.map((job) => ({ kind: 'job', id: String(job.id), job }));
    return { key, needs: head.needs, cells };
  };

  const plan = (parent: number | null): Plan => {
    const byKey = new Map<string, Job[]>();
    for (const job of children.get(parent) ?? []) {
      const legs = byKey.get(job.key);
      if (legs) legs.push(job); else byKey.set(job.key, [job]);
    }
    const groups = [...byKey].map(([key, legs]) => group(key, legs, String(parent ?? '')));
    return place(groups, nodeWidth);
  };
  return plan(null);
}

function place(groups: Group[], nodeWidth: number): Plan {
  const byKey = new Map(groups.map((one) => [one.key, one]));
  const depths = new Map<string, number>();
  const depthOf = (key: string): number => {
    const known = depths.get(key);
    if (known !== undefined) return known;
    depths.set(key, 0);  // a circle, which the server refuses anyway, must not hang the page
    const needs = (byKey.get(key)?.needs ?? []).filter((need) => byKey.has(need));
    const value = needs.length === 0 ? 0 : 1 + Math.max(...needs.map(depthOf));
    depths.set(key, value);
    return value;
  };
  const columns: Group[][] = [];
  for (const one of groups) (columns[depthOf(one.key)] ??= []).push(one);

  const size = (cell: Cell): [number, number] => {
    if (cell.kind === 'job') return [nodeWidth, NODE_HEIGHT];
    if (cell.kind === 'call' && cell.inner) return [Math.max(nodeWidth, cell.inner.width + 2 * BOX_PAD), BOX_HEAD + cell.inner.height + BOX_PAD];
    return [nodeWidth, STACK_HEIGHT];
  };
  const cells: Placed[] = [], placed = new Map<string, Placed[]>();
  let x = 0, height = 0, width = 0;
  for (const column of columns) {
    if (!column) continue;
    let y = 0, widest = 0;
    for (const one of column) {
      const own = one.cells.map((cell): Placed => {
        const [cellWidth, cellHeight] = size(cell);
        const at = { cell, x, y, width: cellWidth, height: cellHeight };
        y += cellHeight + GAP_Y;
        widest = Math.max(widest, cellWidth);
        return at;
      });
      placed.set(one.key, own);
      cells.push(...own);
    }
    height = Math.max(height, y - GAP_Y);
    width = x + widest;
    x = width + GAP_X;
  }
  const middle = (one: Placed) => one.y + (one.cell.kind === 'call' && one.cell.inner ? BOX_HEAD / 2 : one.height / 2);
  const lines = groups.flatMap((one) => one.needs.flatMap((need) => (placed.get(need) ?? []).flatMap((from) => (placed.get(one.key) ?? []).map((to): Line => ({
    id: `${from.cell.id}>${to.cell.id}`, from: [from.x + from.width, middle(from)], to: [to.x, middle(to)],
  })))));
  return { cells, lines, width, height };
}

// How many columns stand side by side when every box is open: nodes get narrower then.
export function columnsOf(plan: Plan): number {
  const columns = new Map<number, number>();
  for (const { cell, x } of plan.cells) {
    const inner = cell.kind === 'call' && cell.inner ? columnsOf(cell.inner) : 1;
    columns.set(x, Math.max(columns.get(x) ?? 1, inner));
  }
  return [...columns.values()].reduce((sum, one) => sum + one, 0);
}
