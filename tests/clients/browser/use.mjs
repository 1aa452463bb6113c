// node use.mjs URL TOKEN JOB RUN CHANGED REUSED: does in Chromium what people do: reads a large log, opens a stack of jobs, follows an
// annotation, reviews and merges. Prints what went wrong and the largest answer that a page asked for, as JSON.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const [url, token, job, run, changed, reused] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
});
const problems = [];
let largest = 0;
const context = await browser.newContext({ viewport: { width: 1360, height: 900 } });
await context.addCookies([{ name: 'weir_token', value: token, url }]);
await context.addInitScript(() => localStorage.setItem('weir.language', 'en'));
const page = await context.newPage();
page.setDefaultTimeout(30_000);
page.on('pageerror', (error) => problems.push(String(error)));
page.on('response', async (response) => {
  if (!response.url().includes('/log')) return;
  largest = Math.max(largest, (await response.body().catch(() => '')).length);
});
page.on('dialog', (dialog) => void dialog.accept('It was of another change.'));  // what a question for a reason gets
const text = (what) => page.getByText(what).first().waitFor();

// A log of megabytes: from the beginning to the end, to a step, to what is searched for, to a line by its address.
await page.goto(`${url}/#/runs/${run}`);
await text('beginning of the talk');
await page.getByRole('button', { name: 'End', exact: true }).click();
await text('end of the talk');
await page.getByRole('button', { name: /Say much/ }).click();
await text(/^epoch 1 of/);
await page.getByRole('slider').fill('500');
await text(/^epoch 3\d{4} of/);
await page.getByLabel('Search the log').fill('EPOCH 41234 of');
await page.locator('.found button').first().click();
await page.locator('.line.target', { hasText: 'epoch 41234 of' }).waitFor();
const address = await page.locator('.line.target .place').getAttribute('href');
if (!address?.startsWith(`#/runs/${run}/jobs/${job}/`)) problems.push({ address });
// Scrolling goes on at both sides.
await page.locator('.lines').evaluate((lines) => { lines.scrollTop = lines.scrollHeight; });
await text(/^epoch 43\d{3} of/);

// A stack of jobs opens into a list; what failed is found by its state.
await page.goto(`${url}/#/runs/1`);
await page.getByRole('button', { name: /^test × 9/ }).click();
await page.locator('.legs').getByRole('button', { name: /failure$/ }).click();
await page.locator('.legs li button', { hasText: 'test (3)' }).click();
await page.locator('.annotations', { hasText: 'train.py:12' }).waitFor();
await page.getByRole('button', { name: 'Show in the log' }).first().click();
await page.locator('.line.target', { hasText: 'Part 3 does not fit' }).waitFor();
// A call folds; another call of a matrix is picked.
await page.getByRole('button', { name: 'Fold: publish', exact: true }).click();
await page.locator('.call', { hasText: 'publish' }).getByRole('button', { name: 'Unfold: publish' }).waitFor();
await page.getByLabel('3 calls').selectOption({ label: 'ship (us)' });
await page.locator('.card h2', { hasText: 'ship (us)' }).waitFor();

// Why a stage ran though it might have been reused: hundreds of files, unfolded and folded again; from which run another was
// taken, and what that result was made from.
await page.goto(`${url}/#/runs/${changed}`);
await page.locator('.node', { hasText: /^first/ }).click();
const files = page.getByRole('list', { name: 'Files of the repository' }).first();
await files.getByText('data/day-000.csv').waitFor();
if (await files.getByText('data/day-299.csv').count() !== 0) problems.push('the long list is not folded');
await page.getByRole('button', { name: 'Show more (290 left)' }).click();
await files.getByText('data/day-299.csv').waitFor();
await page.getByRole('button', { name: 'Fold', exact: true }).click();
await files.getByText('data/day-299.csv').waitFor({ state: 'detached' });
await page.goto(`${url}/#/runs/${reused}`);
await page.locator('.node', { hasText: /^first/ }).click();
await text('What went into its result');
await page.getByText('What went into its result').click();
await page.locator('details.key').getByText('model.txt').waitFor();
await page.locator('.reuse').getByRole('link', { name: 'run #1' }).click();
await page.waitForURL(/#\/runs\/\d+\/jobs\/\d+$/);
await text('cat model.txt');

// What waits for me, by keys; a review of one, the merge of another.
await page.keyboard.press('Escape');
await page.locator('h2').first().click();
await page.keyboard.press('g');
await page.keyboard.press('o');
await page.getByRole('link', { name: /Change worse/ }).click();
await page.getByLabel('Your comment or review').fill('Not like this.');
await page.getByRole('button', { name: 'Ask for changes' }).click();
await text('bob asks for changes');
await page.getByRole('button', { name: 'Dismiss', exact: true }).click();
await text('Dismissed by bob');
await page.keyboard.press('Tab');
// A job that said something leads to what it did.
await page.locator('.comment header').getByRole('link', { name: 'weir · CI / lint' }).click();
await page.waitForURL(/#\/runs\/\d+\/jobs\/\d+$/);
await page.locator('.card h2', { hasText: /^lint/ }).waitFor();
await page.goto(`${url}/#/pulls`);
await page.getByRole('button', { name: 'closed', exact: true }).click();
await page.getByRole('link', { name: 'Change given-up' }).waitFor();
await page.getByRole('button', { name: 'open', exact: true }).click();
await page.getByRole('link', { name: 'Change better' }).click();
await text('Ready to merge');
await page.getByRole('button', { name: 'Merge', exact: true }).click();
await text('bob merged it');

// What could not be told to anybody is seen, with the reason, and tried again.
await page.goto(`${url}/#/alerts`);
await page.locator('h2', { hasText: 'Messages to people' }).waitFor();
const row = await page.locator('tr', { hasText: 'nobody-is-here' }).filter({ hasText: 'cannot reach 127.0.0.1 at port 1' }).first().getAttribute('id');
const tries = page.locator(`#${row} td.number`); // newer messages may come above it meanwhile
const before = Number(await tries.textContent());
await page.locator(`#${row}`).getByRole('button', { name: 'Send now' }).click();
const deadline = Date.now() + 30_000;
while (Number(await tries.textContent()) <= before) {
  if (Date.now() > deadline) throw new Error(`message ${row} was not tried again: ${await page.locator(`#${row}`).textContent()}`);
  await page.waitForTimeout(50);
}
await browser.close();
console.log(JSON.stringify({ problems, largest_answer: largest }));
