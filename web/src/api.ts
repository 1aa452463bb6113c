import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

export class ApiError extends Error {}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(path.startsWith('/api/') ? path : `/api/v1${path}`, {
    method,
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const value = text ? JSON.parse(text) : null;
  if (!response.ok) throw new ApiError(value?.message ?? `${response.status} ${response.statusText}`);
  return value as T;
}

export const get = <T>(path: string): Promise<T> => call<T>('GET', path);
export const patch = <T>(path: string, body: unknown): Promise<T> => call<T>('PATCH', path, body);
export const post = <T>(path: string, body: unknown = {}): Promise<T> => call<T>('POST', path, body);

// The server's events. One connection for all pages.
export type Happening = { kind: 'event' | 'live'; data: Record<string, unknown> };
type Listener = (happening: Happening) => void;
const listeners = new Set<Listener>();
const statusListeners = new Set<(online: boolean) => void>();

export function connect(): void {
  const source = new EventSource('/api/v1/events/stream');
  const tell = (kind: Happening['kind']) => (message: MessageEvent<string>) => {
    const data = JSON.parse(message.data) as Record<string, unknown>;
    listeners.forEach((listener) => listener({ kind, data }));
  };
  source.addEventListener('event', tell('event'));
  source.addEventListener('live', tell('live'));
  source.onopen = () => statusListeners.forEach((listener) => listener(true));
  source.onerror = () => statusListeners.forEach((listener) => listener(false));
}

export function useOnline(): boolean {
  const [online, setOnline] = useState(true);
  useEffect(() => {
    statusListeners.add(setOnline);
    return () => void statusListeners.delete(setOnline);
  }, []);
  return online;
}

export function useHappening(listener: Listener): void {
  const current = useRef(listener);
  current.current = listener;
  useEffect(() => {
    const stable: Listener = (happening) => current.current(happening);
    listeners.add(stable);
    return () => void listeners.delete(stable);
  }, []);
}

export interface Loaded<T> { value: T | null; error: string | null; reload: () => void }

// Loads `path`, and again whenever something happens that `concerns` it. Bursts are drawn together, and an answer that
// takes long to make is asked for less often: a run of a thousand jobs tells of hundreds of changes a second.
// With a `query` it is posted: MLflow's searches want that. Keep its identity while it does not change.
const PAUSE = 120;
const newTurn = () => ({ timer: undefined as ReturnType<typeof setTimeout> | undefined, busy: false, again: false, took: 0 });
export function useLoaded<T>(path: string | null, concerns: (happening: Happening) => boolean = () => false, query?: unknown): Loaded<T> {
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState<string | null>(null);
  const turn = useRef(newTurn());
  const load = useCallback(() => {
    const state = turn.current;
    if (path === null) return;
    if (state.busy) {
      state.again = true;
      return;
    }
    const began = performance.now();
    const isCurrent = () => turn.current === state;
    state.busy = true;
    (query === undefined ? get<T>(path) : post<T>(path, query)).then(
      (next) => { if (isCurrent()) { setValue(next); setError(null); } },
      (reason: Error) => { if (isCurrent()) setError(reason.message); },
    ).finally(() => {
      state.busy = false;
      state.took = performance.now() - began;
      if (isCurrent() && state.again) soon();
    });
  }, [path, query]);
  const soon = () => {
    const state = turn.current;
    state.again = false;
    state.timer ??= setTimeout(() => { state.timer = undefined; load(); }, Math.max(PAUSE, 3 * state.took));
  };
  useEffect(() => {
    setValue(null);
    setError(null);
    load();
    return () => {
      clearTimeout(turn.current.timer);
      turn.current = newTurn();
    };
  }, [load]);
  useHappening((happening) => { if (concerns(happening)) soon(); });
  return { value, error, reload: load };
}

export const eventOf = (...prefixes: string[]) => (happening: Happening): boolean =>
  happening.kind === 'event' && prefixes.some((prefix) => String(happening.data.type).startsWith(prefix));
