import { expect, test } from 'vitest';
import { ownPicture } from './pictures';

const origin = 'http://127.0.0.1:4777';

test('pictures come from weir or are in the text itself', () => {
  for (const own of ['/api/v1/x.png', `${origin}/api/v1/x.png`, 'data:image/png;base64,AA==']) expect(ownPicture(own, origin), own).toBe(own);
  for (const other of ['x', '/static/icon.svg', 'https://example.org/api/x.png', '//example.org/api/x.png', 'http://127.0.0.1:4778/api/x', 'data:text/html;base64,AA==', 'javascript:alert(1)', '', '/api/../git/x', '\\\\example.org/api/x']) {
    expect(ownPicture(other, origin), other).toBeNull();
  }
});

test('attachments are shown from here, by whatever name a job knew the server', () => {
  const path = `/api/v1/repos/flights/attachments/${'0a'.repeat(32)}`;
  expect(ownPicture(path, origin)).toBe(path);
  expect(ownPicture(`http://weir.localhost:4777${path}?cml=png&cache-bypass=7`, origin)).toBe(path);
  expect(ownPicture(`https://weir.example.org${path}`, origin)).toBe(path);
  for (const other of [`https://example.org${path}/x.png`, `https://example.org/x${path}`, `ftp://example.org${path}`, `https://example.org${path.slice(0, -1)}`]) {
    expect(ownPicture(other, origin), other).toBeNull();
  }
});
