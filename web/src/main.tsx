import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { connect, get, useOnline } from './api';
import { currentLanguage, preferredLanguage, setLanguage, t, type Key } from './i18n';
import { EndpointPage, Endpoints } from './pages/endpoints';
import { Alerts, Events } from './pages/events';
import { ExperimentPage, ExperimentRunPage, Experiments } from './pages/experiments';
import { ModelPage, Models } from './pages/models';
import { Overview } from './pages/overview';
import { PullPage, Pulls } from './pages/pulls';
import { RepositoryPage } from './pages/repository';
import { RunPage } from './pages/run';
import { Runs } from './pages/runs';
import './style.css';

const pages: [Key, string, string][] = [
  ['overview', '#/', 'o'], ['runs', '#/runs', 'r'], ['pulls', '#/pulls', 'p'], ['experiments', '#/experiments', 'x'], ['models', '#/models', 'm'], ['endpoints', '#/endpoints', 'e'], ['alerts', '#/alerts', 'a'], ['events', '#/events', 'l'],
];

function page(hash: string) {
  const [name = '', argument, part, detail, place] = hash.replace(/^#\//, '').split('/').map(decodeURIComponent);
  if (name === 'runs') return argument ? <RunPage key={argument} id={argument} job={part === 'jobs' ? Number(detail) : null} at={place ? Number(place) : null} /> : <Runs />;
  if (name === 'repos' && argument) return <RepositoryPage key={argument} name={argument} />;
  if (name === 'pulls') return argument && part ? <PullPage key={`${argument}/${part}`} repo={argument} number={part} /> : <Pulls />;
  // The addresses that MLflow's client prints: #/experiments/1/runs/<id>.
  if (name === 'experiments') return detail ? <ExperimentRunPage key={detail} id={detail} /> : argument ? <ExperimentPage key={argument} id={argument} /> : <Experiments />;
  if (name === 'models') return argument ? <ModelPage key={argument} name={argument} /> : <Models />;
  if (name === 'endpoints') return argument ? <EndpointPage key={argument} name={argument} /> : <Endpoints />;
  if (name === 'alerts') return <Alerts />;
  if (name === 'events') return <Events />;
  return <Overview />;
}

// A token for those who decide: kept in a cookie that only this server gets back.
function SignIn() {
  const [name, setName] = useState('');
  useEffect(() => void get<{ name: string; role: string | null }>('/identity').then((identity) => setName(identity.role ? identity.name : ''), () => setName('')), []);
  const signIn = () => {
    const token = prompt(`${t('token')} (${t('tokenHint')})`);
    if (token === null) return;
    document.cookie = `weir_token=${token.trim()}; path=/; SameSite=Strict; max-age=${token.trim() ? 2_592_000 : 0}`;
    location.reload();
  };
  return <button type="button" onClick={signIn}>{name ? t('signedInAs', { name }) : t('signIn')}</button>;
}

// g then a letter goes to a page, / to the search field.
function useKeys(): void {
  useEffect(() => {
    let afterG = false;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || (event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName))) return;
      if (event.key === '/') {
        const field = document.querySelector<HTMLInputElement>('input[type=search]');
        if (field) { event.preventDefault(); field.focus(); }
      }
      const target = afterG ? pages.find(([, , key]) => key === event.key) : undefined;
      if (target) location.hash = target[1];
      afterG = event.key === 'g';
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}

function App() {
  const [hash, setHash] = useState(location.hash || '#/');
  const [, redraw] = useState(0);
  const online = useOnline();
  useKeys();
  useEffect(() => {
    const onHash = () => setHash(location.hash || '#/');
    addEventListener('hashchange', onHash);
    return () => removeEventListener('hashchange', onHash);
  }, []);
  const toggleTheme = () => {
    const dark = document.documentElement.dataset.theme === 'dark' || (!document.documentElement.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches);
    document.documentElement.dataset.theme = dark ? 'light' : 'dark';
    localStorage.setItem('weir.theme', document.documentElement.dataset.theme);
  };
  const active = hash.split('/')[1] ?? '';
  return (
    <>
      <header class="top">
        <a class="brand" href="#/">weir <span lang="zh">堰</span></a>
        <nav aria-label="weir">{pages.map(([key, href]) => <a key={key} href={href} aria-current={active === (href.split('/')[1] ?? '') ? 'page' : undefined}>{t(key)}</a>)}</nav>
        <span class="actions">
          <SignIn />
          <button type="button" onClick={() => { setLanguage(currentLanguage() === 'en' ? 'zh' : 'en'); redraw((n) => n + 1); }}>{t('language')}</button>
          <button type="button" onClick={toggleTheme} aria-label={t('theme')}>◐</button>
        </span>
      </header>
      {!online && <p class="offline" role="status">{t('offline')}</p>}
      <main key={currentLanguage()}>{page(hash)}</main>
    </>
  );
}

const theme = localStorage.getItem('weir.theme');
if (theme) document.documentElement.dataset.theme = theme;
setLanguage(preferredLanguage());
connect();
render(<App />, document.getElementById('app') as HTMLElement);
