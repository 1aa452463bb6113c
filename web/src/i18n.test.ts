import { expect, test, vi } from 'vitest';

test('the reason of a run is told in Chinese, and left as it is where it is not known', async () => {
  vi.stubGlobal('localStorage', { setItem: () => undefined, getItem: () => null });
  vi.stubGlobal('document', { documentElement: {} });
  const { runReason, setLanguage } = await import('./i18n');
  expect(runReason('push to main by ann')).toBe('push to main by ann');
  setLanguage('zh');
  expect(runReason('push to main by ann')).toBe('ann 推送到 main');
  expect(runReason('pull request #2 synchronize by vera')).toBe('vera 触发：拉取请求 #2 synchronize');
  expect(runReason('started by $& ann')).toBe('started by $& ann');
  expect(runReason('a reason of a later server')).toBe('a reason of a later server');
});
