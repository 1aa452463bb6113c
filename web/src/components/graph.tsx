import type { Job } from '../types';
import { State } from './common';

// Jobs in columns by their depth in the graph of needs, with lines between them.
export function layout(jobs: Job[]): { job: Job; column: number; row: number }[] {
  const byKey = new Map<string, Job[]>();
  for (const job of jobs) byKey.set(job.key, [...(byKey.get(job.key) ?? []), job]);
  const depth = new Map<string, number>();
  const depthOf = (key: string, seen: Set<string>): number => {
    const known = depth.get(key);
    if (known !== undefined) return known;
    if (seen.has(key)) return 0;
    seen.add(key);
    const needs = byKey.get(key)?.[0]?.needs ?? [];
    const value = needs.length === 0 ? 0 : 1 + Math.max(...needs.map((need) => depthOf(need, seen)));
    depth.set(key, value);
    return value;
  };
  const rows: number[] = [];
  return jobs.map((job) => {
    const column = depthOf(job.key, new Set());
    const row = rows[column] ?? 0;
    rows[column] = row + 1;
    return { job, column, row };
  });
}

const HEIGHT = 54, GAP_X = 30, GAP_Y = 14, PAGE = 1280;

export function JobGraph({ jobs, chosen, onChoose }: { jobs: Job[]; chosen: number | null; onChoose: (id: number) => void }) {
  const nodes = layout(jobs);
  // Narrower nodes rather than a long chain of jobs that runs out of the page.
  const columns = Math.max(...nodes.map((node) => node.column)) + 1;
  const room = Math.min(globalThis.innerWidth ?? PAGE, PAGE) - 90;
  const nodeWidth = Math.max(110, Math.min(190, Math.floor((room + GAP_X) / columns) - GAP_X));
  const x = (column: number) => column * (nodeWidth + GAP_X);
  const y = (row: number) => row * (HEIGHT + GAP_Y);
  const width = Math.max(...nodes.map((node) => x(node.column))) + nodeWidth;
  const height = Math.max(...nodes.map((node) => y(node.row))) + HEIGHT;
  return (
    <div class="graph" style={{ width: `${width}px`, height: `${height}px` }}>
      <svg width={width} height={height} aria-hidden="true">
        {nodes.flatMap((node) => node.job.needs.flatMap((need) => nodes.filter((other) => other.job.key === need).map((other) => {
          const x1 = x(other.column) + nodeWidth, y1 = y(other.row) + HEIGHT / 2, x2 = x(node.column), y2 = y(node.row) + HEIGHT / 2;
          const middle = (x1 + x2) / 2;
          return <path key={`${other.job.id}-${node.job.id}`} d={`M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`} />;
        })))}
      </svg>
      {nodes.map(({ job, column, row }) => (
        <button key={job.id} type="button" class={`node ${chosen === job.id ? 'chosen' : ''}`} aria-pressed={chosen === job.id}
          style={{ left: `${x(column)}px`, top: `${y(row)}px`, width: `${nodeWidth}px`, height: `${HEIGHT}px` }} onClick={() => onChoose(job.id)}>
          <strong>{job.name}</strong>
          <State state={job.conclusion ?? job.state} />
        </button>
      ))}
    </div>
  );
}
