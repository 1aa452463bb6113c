// One catalogue: a message that one language lacks does not compile.
const en = {
  overview: 'Overview', runs: 'Runs', experiments: 'Experiments', models: 'Models', endpoints: 'Endpoints', alerts: 'Alerts', events: 'Events',
  waitsForYou: 'Waits for a decision', nothingWaits: 'Nothing waits.', servesNow: 'Serves now', lastRuns: 'Last runs',
  approve: 'Approve', reject: 'Reject', comment: 'Comment', rollBack: 'Roll back', cancel: 'Cancel', rerun: 'Run again',
  confirmRollback: 'Send all requests of {endpoint} to version {version} again?',
  noRuns: 'No runs yet. Push a repository to {url}/git/<name>.git',
  noEndpoints: 'No endpoints yet. Describe one in the weir.yaml of a repository.',
  noModels: 'No registered models yet.', noExperimentRuns: 'No runs yet. Log one with MLFLOW_TRACKING_URI={url}', noAlerts: 'No alerts.', noEvents: 'No events.',
  state: 'State', workflow: 'Workflow', event: 'Event', branch: 'Branch', commit: 'Commit', title: 'Title', took: 'Took',
  started: 'Started', name: 'Name', version: 'Version', versions: 'Versions', aliases: 'Aliases', live: 'Live',
  wish: 'Wish', fact: 'Serves', previous: 'Kept warm', environment: 'Environment', requests: 'Requests', errors: 'Errors',
  latency: 'p50 / p95', since: 'since', registered: 'Registered', gate: 'Gate', metrics: 'Metrics', stage: 'Stage',
  experimentRun: 'Experiment run', experiment: 'Experiment', parameters: 'Parameters', tags: 'Tags', datasets: 'Data', created: 'Created', champion: 'Champion', candidate: 'Candidate', rule: 'Rule', needed: 'Needed', reason: 'Reason', jobs: 'Jobs', summary: 'Summary', artifacts: 'Artifacts', log: 'Log', search: 'Search',
  why: 'Why is this live?', drift: 'Drift', accuracy: 'Accuracy over 7 days', column: 'Column', share: 'Largest drift of a column (PSI)',
  window: 'Window', fired: 'Fired', resolved: 'Resolved', severity: 'Severity', message: 'Message', subject: 'Subject',
  actor: 'By', cause: 'Because of', time: 'Time', type: 'Type', offline: 'Connection lost. Trying again…', token: 'Token',
  signIn: 'Use a token', signedInAs: 'Signed in as {name}', tokenHint: 'The first one is in <state>/keys/admin.token',
  theme: 'Theme', language: '中文', files: 'files', loading: 'Loading…', keyFigures: 'Key figures of 30 days',
  deployments: 'Deployments', leadTime: 'Lead time', failureRate: 'Change failure rate', restore: 'Time to restore',
  back: 'Back', askedBy: 'asked by {name}', noLog: 'This job wrote no log.', newer: 'Newer', older: 'Older', run: 'Run',
  success: 'success', failure: 'failure', cancelled: 'cancelled', skipped: 'skipped', timed_out: 'timed out',
  queued: 'queued', waiting: 'waiting', pending: 'pending', in_progress: 'in progress', completed: 'completed',
  passed: 'passed', refused: 'refused', granted: 'granted', rejected: 'rejected', expired: 'expired', loadingModel: 'loading',
} as const;

export type Key = keyof typeof en;
type Catalogue = Record<Key, string>;

const zh: Catalogue = {
  overview: '总览', runs: '运行', experiments: '实验', models: '模型', endpoints: '端点', alerts: '告警', events: '事件',
  waitsForYou: '等待决定', nothingWaits: '没有等待处理的事项。', servesNow: '正在服务', lastRuns: '最近运行',
  approve: '批准', reject: '拒绝', comment: '备注', rollBack: '回滚', cancel: '取消', rerun: '重新运行',
  confirmRollback: '将 {endpoint} 的全部请求切回版本 {version}？',
  noRuns: '还没有运行。请将仓库推送到 {url}/git/<名称>.git',
  noEndpoints: '还没有端点。请在仓库的 weir.yaml 中描述。',
  noModels: '还没有注册的模型。', noExperimentRuns: '还没有运行。请用 MLFLOW_TRACKING_URI={url} 记录一次', noAlerts: '没有告警。', noEvents: '没有事件。',
  state: '状态', workflow: '工作流', event: '事件', branch: '分支', commit: '提交', title: '标题', took: '用时',
  started: '开始', name: '名称', version: '版本', versions: '版本', aliases: '别名', live: '线上',
  wish: '期望', fact: '实际', previous: '保持就绪', environment: '环境', requests: '请求', errors: '错误',
  latency: 'p50 / p95', since: '自', registered: '注册于', gate: '门禁', metrics: '指标', stage: '阶段',
  experimentRun: '实验运行', experiment: '实验', parameters: '参数', tags: '标签', datasets: '数据', created: '创建', champion: '冠军', candidate: '候选', rule: '规则', needed: '要求', reason: '原因', jobs: '作业', summary: '摘要', artifacts: '制品', log: '日志', search: '搜索',
  why: '它为何在线？', drift: '漂移', accuracy: '7 日准确率', column: '列', share: '漂移最大的列 (PSI)',
  window: '窗口', fired: '触发', resolved: '恢复', severity: '级别', message: '内容', subject: '对象',
  actor: '操作者', cause: '起因', time: '时间', type: '类型', offline: '连接中断，正在重试…', token: '令牌',
  signIn: '使用令牌', signedInAs: '已登录：{name}', tokenHint: '第一个令牌在 <state>/keys/admin.token',
  theme: '主题', language: 'English', files: '个文件', loading: '加载中…', keyFigures: '30 天关键指标',
  deployments: '部署', leadTime: '前置时间', failureRate: '变更失败率', restore: '恢复时间',
  back: '返回', askedBy: '申请人 {name}', noLog: '该作业没有日志。', newer: '较新', older: '较早', run: '运行',
  success: '成功', failure: '失败', cancelled: '已取消', skipped: '已跳过', timed_out: '超时',
  queued: '排队', waiting: '等待', pending: '待定', in_progress: '进行中', completed: '完成',
  passed: '通过', refused: '拒绝', granted: '已批准', rejected: '已拒绝', expired: '已过期', loadingModel: '加载中',
};

export type Language = 'en' | 'zh';
const catalogues: Record<Language, Catalogue> = { en, zh };

export function preferredLanguage(): Language {
  const stored = localStorage.getItem('weir.language');
  if (stored === 'en' || stored === 'zh') return stored;
  return navigator.language.startsWith('zh') ? 'zh' : 'en';
}

let language: Language = 'en';
export function setLanguage(next: Language): void {
  language = next;
  localStorage.setItem('weir.language', next);
  document.documentElement.lang = next;
}
export const currentLanguage = (): Language => language;

export function t(key: Key, values: Record<string, string | number> = {}): string {
  return catalogues[language][key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
}

// The word for a state that the server names; its own word where the catalogue has none.
export function stateWord(state: string): string {
  return state in catalogues[language] ? t(state as Key) : state;
}
