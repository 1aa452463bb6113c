import type { Job, LogLine } from './types';

// Jobs and lines for tests.
export const job = (id: number, key: string, needs: string[] = [], more: Partial<Job> = {}): Job => ({
  id, run: 1, key, name: key, needs, state: 'queued', conclusion: null, started_at: null, completed_at: null, parent: null, calls: null, environment: null,
  environment_url: null, deployment: false, origin: null, reason: '', steps: [], summary: '', annotations: [], ...more,
});

export const line = (at: number, text: string, stream = 'o', step = 0): LogLine => ({ at, step, time: '2026-01-01T00:00:00.000000Z', stream, text });
