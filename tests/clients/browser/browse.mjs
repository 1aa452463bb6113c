// node browse.mjs URL FOLDER [PAGE...]: opens each page of a running server in Chromium, in both languages and themes, and
// prints what went wrong as JSON: script errors, requests that left the server, accessibility violations. Screenshots go
// to FOLDER.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(new URL('../../../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [url, folder, ...pages] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
});
const problems = [];
const texts = {};
for (const [language, theme] of [['en', 'light'], ['zh', 'dark']]) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, bypassCSP: false });
  await context.addInitScript(([l, t]) => {
    localStorage.setItem('weir.language', l);
    localStorage.setItem('weir.theme', t);
  }, [language, theme]);
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push({ language, page: page.url(), error: String(error) }));
  // A hostile handler in a job's summary is refused twice: the policy says so aloud, then it is sanitised away. That the
  // page is still ours is checked by its title.
  const refused = (message) => message.text().includes('Executing inline event handler violates');
  page.on('console', (message) => { if (message.type() === 'error' && !refused(message)) problems.push({ language, page: page.url(), error: message.text() }); });
  page.on('request', (request) => { if (!request.url().startsWith(url) && !request.url().startsWith('data:')) problems.push({ language, left: request.url() }); });
  for (const name of pages) {
    await page.goto(`${url}/${name}`);
    await page.waitForSelector('main .card');
    await page.waitForFunction(() => !/Loading…|加载中…/.test(document.querySelector('main')?.textContent ?? ''));
    // What a page folds away is looked at too.
    await page.evaluate(() => document.querySelectorAll('details.key').forEach((one) => { one.open = true; }));
    const label = `${name.replaceAll(/[^a-z0-9]+/gi, '-') || 'overview'}-${language}-${theme}`;
    await page.screenshot({ path: `${folder}/${label}.png`, fullPage: true });
    texts[label] = await page.innerText('main');
    if (await page.title() !== 'weir') problems.push({ language, page: name, title: await page.title() });
    // Playwright's evaluate is not bound by the page's policy, a script tag would be.
    await page.evaluate(axe);
    const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa'] }));
    for (const violation of found.violations) {
      problems.push({ language, page: name, rule: violation.id, nodes: violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)) });
    }
  }
  await context.close();
}
await browser.close();
console.log(JSON.stringify({ problems, texts }));
