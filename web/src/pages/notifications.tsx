import { useEffect, useState } from 'preact/hooks';
import { post, useLoaded } from '../api';
import { Card, State, Time, Waiting } from '../components/common';
import { t } from '../i18n';
import type { Notification, NotificationList } from '../types';

const REFRESH = 3_000; // while something is under way: its progress is no event
const isOpen = (one: Notification) => one.state === 'waiting' || one.state === 'held' || one.state === 'retrying';

function Row({ one, onDone }: { one: Notification; onDone: () => void }) {
  const [error, setError] = useState<string | null>(null);
  const retry = () => post(`/notifications/${one.id}/retry`).then(() => { setError(null); onDone(); }, (reason: Error) => setError(reason.message));
  return (
    <tr id={`notification-${one.id}`}>
      <td><State state={one.state} /></td>
      <td><span class={`severity ${one.severity}`}>{one.severity}</span></td>
      <td><code>{one.target}</code></td>
      <td class="wide">{one.text.split('\n')[0]}
        {one.problem && one.state !== 'sent' && <div class="problem">{one.problem}</div>}
        {one.possibly_repeated && <div class="muted">{t('possiblyRepeated')}</div>}
        {error && <p class="problem" role="alert">{error}</p>}
      </td>
      <td class="number">{one.attempts}</td>
      <td><Time at={one.created_at} /></td>
      <td>{(isOpen(one) || one.state === 'given_up') && <button type="button" onClick={retry}>{t('sendNow')}</button>}</td>
    </tr>
  );
}

// What people were told, and what could not be told: below the alerts that it often is about.
export function Notifications() {
  const loaded = useLoaded<NotificationList>('/notifications?limit=100', (happening) => happening.kind === 'event');
  const open = loaded.value?.notifications.some(isOpen) ?? false;
  useEffect(() => {
    if (!open) return;
    const timer = setInterval(loaded.reload, REFRESH);
    return () => clearInterval(timer);
  }, [open, loaded.reload]);
  if (!loaded.value) return <Waiting error={loaded.error} />;
  return (
    <Card title={t('notifications')}>
      {loaded.value.notifications.length === 0 ? <p class="muted">{t('noNotifications')}</p> : (
        <div class="scroll"><table>
          <thead><tr><th>{t('state')}</th><th>{t('severity')}</th><th>{t('target')}</th><th>{t('message')}</th><th class="number">{t('tries')}</th><th>{t('time')}</th><th /></tr></thead>
          <tbody>{loaded.value.notifications.map((one) => <Row key={one.id} one={one} onDone={loaded.reload} />)}</tbody>
        </table></div>
      )}
    </Card>
  );
}
