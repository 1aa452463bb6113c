import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Series { label: string; values: (number | null)[]; color: string }

// Curves over time; `limit` is drawn as a dashed line.
export function Chart({ times, series, limit, label }: { times: number[]; series: Series[]; limit?: number; label: string }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element || times.length === 0) return;
    const style = getComputedStyle(document.documentElement);
    const text = style.getPropertyValue('--muted'), line = style.getPropertyValue('--line');
    const axis = { stroke: text, grid: { stroke: line }, ticks: { stroke: line } };
    const all = limit === undefined ? series : [...series, { label: 'limit', values: times.map(() => limit), color: style.getPropertyValue('--bad') }];
    const plot = new uPlot({
      width: element.clientWidth, height: 190,
      axes: [axis, { ...axis, size: 48 }],
      series: [{}, ...all.map((one, i) => ({ label: one.label, stroke: one.color, width: 1.6, points: { size: 5 }, spanGaps: true, ...(limit !== undefined && i === all.length - 1 ? { dash: [5, 4], points: { show: false } } : {}) }))],
    }, [times, ...all.map((one) => one.values)] as uPlot.AlignedData, element);
    const resize = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 190 }));
    resize.observe(element);
    return () => { resize.disconnect(); plot.destroy(); };
  }, [times, series, limit]);
  return <div ref={place} class="chart" role="img" aria-label={label} />;
}
