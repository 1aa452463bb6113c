import { useState } from 'preact/hooks';
import { useLoaded } from '../api';
import { shortCommit } from '../format';
import { t, type Key } from '../i18n';
import { Waiting } from './common';
import type { Difference, Job, JobReuse } from '../types';

const SHOWN = 12;

// A long list shows its first and asks before it shows the rest. `count`: of all that there are, named here or not.
function Folded<T>({ items, count, children, label }: { items: T[]; count: number; children: (item: T) => preact.ComponentChildren; label: string }) {
  const [whole, setWhole] = useState(false);
  const shown = whole ? items : items.slice(0, SHOWN);
  return (
    <>
      <ul class={`names${whole ? ' whole' : ''}`} aria-label={label} tabIndex={whole ? 0 : undefined}>{shown.map((item, i) => <li key={i}>{children(item)}</li>)}</ul>
      {items.length > SHOWN && <button type="button" aria-expanded={whole} onClick={() => setWhole(!whole)}>{whole ? t('fold') : t('showMore', { count: items.length - SHOWN })}</button>}
      {count > items.length && <p class="muted">{t('notNamed', { count: count - items.length })}</p>}
    </>
  );
}

function Earlier({ reuse }: { reuse: JobReuse }) {
  const earlier = reuse.earlier;
  return earlier && <a href={`#/runs/${earlier.run}/jobs/${earlier.job}`}>{t('runNumber', { number: earlier.number })}</a>;
}

const group: Record<Difference['kind'], Key> = { definition: 'ofDefinition', value: 'ofValues', need: 'ofNeeds', file: 'ofFiles' };

const changes: Record<Difference['change'], Key> = { changed: 'hasChanged', new: 'isNew', gone: 'isGone' };

function Differences({ reuse }: { reuse: JobReuse }) {
  const named = reuse.differences.filter((one) => one.kind !== 'file').length;
  return (
    <dl class="inputs">{(['definition', 'value', 'need', 'file'] as const).map((kind) => {
      const own = reuse.differences.filter((one) => one.kind === kind);
      if (own.length === 0) return null;
      // Files come last: those that are not named are files.
      const count = kind === 'file' ? reuse.differences_count - named : own.length;
      return [<dt key={`${kind} `}>{t(group[kind])} ({count})</dt>, <dd key={kind}><Folded items={own} count={count} label={t(group[kind])}>{(one) => <><span class={`change ${one.change}`}>{t(changes[one.change])}</span> {one.name && <code>{one.name}</code>}</>}</Folded></dd>];
    })}</dl>
  );
}

function KeyOf({ reuse }: { reuse: JobReuse }) {
  const key = reuse.key;
  if (!key) return null;
  const definition = key.parts.filter((part) => !/^(inputs|vars|matrix)\./.test(part));
  const values = key.parts.filter((part) => !definition.includes(part));
  const digest = (text: string) => <code class="muted">{text.slice(0, 12)}</code>;
  return (
    <details class="key">
      <summary>{t('keyMadeOf')}</summary>
      <dl class="inputs">
        <dt>{t('ofDefinition')}</dt><dd>{digest(key.definition)} {definition.map((part) => <code key={part}>{part}</code>)}</dd>
        <dt>{t('ofValues')}</dt><dd>{digest(key.values)} {values.map((part) => <code key={part}>{part}</code>)}</dd>
        {Object.keys(key.needs).length > 0 && <><dt>{t('ofNeeds')}</dt><dd><Folded items={Object.entries(key.needs)} count={Object.keys(key.needs).length} label={t('ofNeeds')}>{([need, made]) => <>{digest(made)} <code>{need}</code></>}</Folded></dd></>}
        <dt>{t('ofFiles')} ({key.files_count})</dt>
        <dd>
          <p class="muted">{t(key.every_file ? 'everyFileOf' : 'filesReadOf')} <code>{shortCommit(key.commit)}</code></p>
          {key.files.length > 0 && <Folded items={key.files} count={key.files_count} label={t('ofFiles')}>{(file) => <>{digest(file.object)} <code>{file.path}</code></>}</Folded>}
        </dd>
        {key.folders.length > 0 && <><dt>{t('foldersListed')}</dt><dd><Folded items={key.folders} count={key.folders.length} label={t('foldersListed')}>{(folder) => <code>{folder || '.'}</code>}</Folded></dd></>}
      </dl>
    </details>
  );
}

// Why an earlier result stands for this job's, or what differed so that it ran.
export function Reuse({ job }: { job: Job }) {
  const loaded = useLoaded<JobReuse>(`/jobs/${job.id}/reuse`);
  const reuse = loaded.value;
  if (!reuse && !loaded.error) return <Waiting error={null} />;
  // The server's own words where nobody asked to reuse anything, or more is not known.
  if (!reuse?.asked) return <p class="note">{job.reason}</p>;
  if (reuse.reused) return <section class="reuse" aria-label={t('reused')}><p class="note">{t('reusedUnchanged')} <Earlier reuse={reuse} /></p><KeyOf reuse={reuse} /></section>;
  if (!reuse.earlier) return <p class="note">{job.reason.startsWith('no earlier run') ? t('noEarlierResult') : job.reason}</p>;
  return <section class="reuse" aria-label={t('whyItRan')}><p class="note">{t('ranSince')} <Earlier reuse={reuse} />:</p><Differences reuse={reuse} /><KeyOf reuse={reuse} /></section>;
}
