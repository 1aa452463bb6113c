import { useEffect, useState } from 'preact/hooks';
import { eventOf, useHappening, useLoaded } from '../api';
import { Card, Time, Waiting } from '../components/common';
import { t } from '../i18n';
import type { Alert, WeirEvent } from '../types';
import { Notifications } from './notifications';

export function Alerts() {
  const loaded = useLoaded<{ alerts: Alert[] }>('/alerts', eventOf('alert.'));
  if (!loaded.value) return <Waiting error={loaded.error} />;
  return (<>
    <Card title={t('alerts')}>
      {loaded.value.alerts.length === 0 ? <p class="muted">{t('noAlerts')}</p> : (
        <div class="scroll"><table>
          <thead><tr><th>{t('severity')}</th><th>{t('endpoints')}</th><th>{t('message')}</th><th>{t('fired')}</th><th>{t('resolved')}</th></tr></thead>
          <tbody>{loaded.value.alerts.map((alert) => (
            <tr key={alert.id}><td><span class={`severity ${alert.severity}`}>{alert.severity}</span></td><td><a href={`#/endpoints/${alert.endpoint}`}>{alert.endpoint}</a></td><td class="wide">{alert.message}</td><td><Time at={alert.fired_at} /></td><td>{alert.resolved_at ? <Time at={alert.resolved_at} /> : '–'}</td></tr>
          ))}</tbody>
        </table></div>
      )}
    </Card>
    <Notifications />
  </>);
}

export function Events() {
  const loaded = useLoaded<{ events: WeirEvent[] }>('/events?newest=true&limit=300');
  const [events, setEvents] = useState<WeirEvent[]>([]);
  const [query, setQuery] = useState('');
  useEffect(() => { if (loaded.value) setEvents([...loaded.value.events].reverse()); }, [loaded.value]);
  useHappening((happening) => {
    if (happening.kind !== 'event') return;
    const event = happening.data as unknown as WeirEvent;
    setEvents((before) => (before.some((one) => one.sequence === event.sequence) ? before : [event, ...before].slice(0, 1000)));
  });
  if (!loaded.value) return <Waiting error={loaded.error} />;
  const shown = events.filter((event) => !query || `${event.type} ${event.subject} ${event.actor}`.includes(query));
  return (
    <Card title={t('events')} action={<input type="search" value={query} placeholder={t('search')} aria-label={t('search')} onInput={(event) => setQuery(event.currentTarget.value)} />}>
      {shown.length === 0 ? <p class="muted">{t('noEvents')}</p> : (
        <div class="scroll"><table>
          <thead><tr><th class="number">#</th><th>{t('type')}</th><th>{t('subject')}</th><th>{t('actor')}</th><th class="number">{t('cause')}</th><th>{t('time')}</th></tr></thead>
          <tbody>{shown.map((event) => (
            <tr key={event.sequence} id={`event-${event.sequence}`}><td class="number">{event.sequence}</td><td><code>{event.type}</code></td><td>{event.subject}</td><td>{event.actor}</td>
              <td class="number">{event.cause ?? ''}</td><td><Time at={event.time} /></td></tr>
          ))}</tbody>
        </table></div>
      )}
    </Card>
  );
}
