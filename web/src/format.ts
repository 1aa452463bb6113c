import { currentLanguage } from './i18n';

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1],
];

export function ago(iso: string | null | undefined, now = Date.now()): string {
  if (!iso) return '';
  const seconds = (Date.parse(iso) - now) / 1000;
  const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1];
  return new Intl.RelativeTimeFormat(currentLanguage(), { numeric: 'auto' }).format(Math.round(seconds / size), unit);
}

export function exact(iso: string | null | undefined): string {
  return iso ? new Date(iso).toLocaleString(currentLanguage()) : '';
}

export function duration(from: string | null | undefined, to: string | null | undefined): string {
  if (!from) return '';
  return seconds((Date.parse(to ?? new Date().toISOString()) - Date.parse(from)) / 1000);
}

export function seconds(value: number): string {
  if (value < 1) return `${Math.max(0, Math.round(value * 1000))} ms`;
  if (value < 60) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  if (value < 3_600) return `${Math.floor(value / 60)} m ${Math.round(value % 60)} s`;
  if (value < 86_400) return `${Math.floor(value / 3_600)} h ${Math.floor((value % 3_600) / 60)} m`;
  return `${Math.floor(value / 86_400)} d ${Math.floor((value % 86_400) / 3_600)} h`;
}

export function bytes(value: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let power = 0;
  while (value >= 1024 && power < names.length - 1) {
    value /= 1024;
    power += 1;
  }
  return `${power === 0 ? value : value.toFixed(1)} ${names[power]}`;
}

export function number(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString(currentLanguage());
  return Math.abs(value) >= 1000 || (value !== 0 && Math.abs(value) < 0.001) ? value.toExponential(2) : value.toFixed(4).replace(/0+$/, '');
}

export const shortRef = (ref: string): string => ref.replace(/^refs\/(heads|tags|pull)\//, '');
export const shortCommit = (commit: string): string => commit.slice(0, 8);
