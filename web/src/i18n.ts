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
  pulls: 'Pull requests', pull: 'Pull request', open: 'open', closed: 'closed', merged: 'merged', draft: 'draft', all: 'All', repository: 'Repository',
  triggers: 'Starts by itself', watchedData: 'Data', watchedPath: 'Watched', lastChange: 'Last change', schedule: 'Schedule', nextTime: 'Next time', watching: 'watching', absent: 'not there yet', changing: 'changing', problem: 'problem', new: 'new',
  noPulls: 'No pull requests. Open one by weir pr create, or git push … HEAD:refs/for/main', author: 'By', updated: 'Updated', readyToMerge: 'Ready to merge',
  notReady: 'Cannot be merged yet', wantsTo: '{name} wants to bring {head} into {base}', mergedBy: '{name} merged it', foreign: 'by somebody who may not push',
  checks: 'Checks', noChecks: 'Nothing checked it yet.', reviews: 'Reviews', noReviews: 'Nobody reviewed it yet.', conversation: 'Conversation', nothingSaid: 'Nothing was said yet.', hiddenAs: 'This comment was hidden: {reason}',
  requestChanges: 'Ask for changes', merge: 'Merge', squash: 'Squash and merge', rebase: 'Rebase and merge', closePull: 'Close', reopen: 'Open again', yourReview: 'Your comment or review', send: 'Comment only', dismiss: 'Dismiss', whyDismiss: 'Why does what {name} said no longer hold?', dismissedBy: 'Dismissed by {name}',
  confirmMerge: 'Merge {head} into {base}?', approved: 'approved', changes_requested: 'asks for changes', commented: 'commented', dismissed: 'dismissed', ofOlder: 'of an older commit',
  waitsForReview: 'waits for your review', edited: 'edited', noText: 'No description.', readyForReview: 'Ready for review', error: 'error', neutral: 'neutral', action_required: 'needs action',
  calls: 'Calls', callsOf: '{count} calls', fold: 'Fold', unfold: 'Unfold', reused: 'reused', showMore: 'Show more ({count} left)', reusedFrom: 'the job that made it', deploysTo: 'Deploys to', uses: 'Uses',
  preempted: 'Made room for another job {count} times, last', preemptedOnce: 'Made room for another job', inLog: 'Show in the log', annotations: 'Annotations', noLogOfReused: 'Its log is that of the job whose result it carries on.',
  notifications: 'Messages to people', noNotifications: 'Nobody was told anything in the last week.', target: 'To', tries: 'Tries', sendNow: 'Send now', possiblyRepeated: 'may have arrived more than once',
  sent: 'sent', retrying: 'trying again', given_up: 'given up', held: 'until quiet hours end',
  searchLog: 'Search the log', hits: '{count} found', steps: 'Steps', toStart: 'Start', toEnd: 'End', placeInLog: 'Place in the log', earlier: 'Earlier', later: 'Later', errorWord: 'Error', warningWord: 'Warning', noticeWord: 'Notice',
  reusedUnchanged: 'Nothing that went into it has changed: reused from', ranSince: 'It ran, though it might have been reused. What differs since', runNumber: 'run #{number}', whyItRan: 'Why it ran',
  noEarlierResult: 'It ran: no earlier run of it succeeded.', keyMadeOf: 'What went into its result', ofDefinition: 'The job in the workflow file', ofValues: 'Inputs, variables, matrix', ofNeeds: 'What its needs made', ofFiles: 'Files of the repository',
  foldersListed: 'Folders that it listed', everyFileOf: 'Which files it read is not known, so all of them count, at', filesReadOf: 'Those that it read, at', notNamed: 'and {count} more, which are not named here', hasChanged: 'changed', isNew: 'new', isGone: 'gone',
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
  pulls: '拉取请求', pull: '拉取请求', open: '打开', closed: '已关闭', merged: '已合并', draft: '草稿', all: '全部', repository: '仓库',
  triggers: '自动启动', watchedData: '数据', watchedPath: '监视的位置', lastChange: '上次变化', schedule: '定时', nextTime: '下次时间', watching: '监视中', absent: '尚不存在', changing: '正在变化', problem: '有问题', new: '新',
  noPulls: '没有拉取请求。可用 weir pr create 或 git push … HEAD:refs/for/main 打开一个', author: '作者', updated: '更新', readyToMerge: '可以合并',
  notReady: '还不能合并', wantsTo: '{name} 想将 {head} 合并到 {base}', mergedBy: '{name} 已合并', foreign: '作者没有推送权限',
  checks: '检查', noChecks: '还没有检查。', reviews: '评审', noReviews: '还没有人评审。', conversation: '讨论', nothingSaid: '还没有讨论。', hiddenAs: '此评论已被隐藏：{reason}',
  requestChanges: '要求修改', merge: '合并', squash: '压缩合并', rebase: '变基合并', closePull: '关闭', reopen: '重新打开', yourReview: '您的评论或评审', send: '仅评论', dismiss: '撤销评审', whyDismiss: '{name} 的评审为何不再有效？', dismissedBy: '由 {name} 撤销',
  confirmMerge: '将 {head} 合并到 {base}？', approved: '已批准', changes_requested: '要求修改', commented: '已评论', dismissed: '已撤销', ofOlder: '针对较早的提交',
  waitsForReview: '等待您评审', edited: '已编辑', noText: '没有说明。', readyForReview: '可供评审', error: '错误', neutral: '中性', action_required: '需要处理',
  calls: '调用', callsOf: '{count} 个调用', fold: '折叠', unfold: '展开', reused: '复用', showMore: '显示更多（还有 {count} 个）', reusedFrom: '产生该结果的作业', deploysTo: '部署到', uses: '使用',
  preempted: '为其他作业让出 {count} 次，最近', preemptedOnce: '为其他作业让出', inLog: '在日志中显示', annotations: '注释', noLogOfReused: '其日志即产生该结果的作业的日志。',
  notifications: '发给人员的消息', noNotifications: '最近一周没有发送过消息。', target: '接收方', tries: '尝试次数', sendNow: '立即发送', possiblyRepeated: '可能重复送达',
  sent: '已发送', retrying: '正在重试', given_up: '已放弃', held: '等待免打扰时段结束',
  searchLog: '搜索日志', hits: '找到 {count} 处', steps: '步骤', toStart: '开头', toEnd: '末尾', placeInLog: '日志位置', earlier: '更早', later: '更晚', errorWord: '错误', warningWord: '警告', noticeWord: '提示',
  reusedUnchanged: '其输入均无变化，结果复用自', ranSince: '本可复用，但输入有变化，因此重新执行。对照', runNumber: '运行 #{number}', whyItRan: '为何执行',
  noEarlierResult: '已执行：此前没有成功的运行。', keyMadeOf: '其结果由哪些输入决定', ofDefinition: '工作流文件中的作业定义', ofValues: '输入、变量、矩阵', ofNeeds: '所需作业的产出', ofFiles: '仓库中的文件',
  foldersListed: '列出过的文件夹', everyFileOf: '无法得知读取了哪些文件，因此全部计入，提交', filesReadOf: '读取过的文件，提交', notNamed: '另有 {count} 项未在此列出', hasChanged: '已更改', isNew: '新增', isGone: '已删除',
};

// Why a run was made, as the server words it in English.
const reasons: [RegExp, string][] = [
  [/^push to (.+) by (\S+)$/, '$2 推送到 $1'],
  [/^started by (\S+)$/, '由 $1 启动'],
  [/^pull request #(\d+) (\S+) by (\S+)$/, '$3 触发：拉取请求 #$1 $2'],
  [/^run #(\d+) again on (\S+) by (\S+)$/, '$3 在 $2 上重新执行运行 #$1'],
  [/^(create|delete) (.+) by (\S+)$/, '$3 触发：$1 $2'],
  [/^repository_dispatch "(.*)" by (\S+)$/, '$2 触发：repository_dispatch「$1」'],
  [/^(\S+) of (.+) by (\S+)$/, '$3 触发：$2 的 $1'],
];

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

// The reason of a run in the reader's language; what is not known stays as the server says it.
export function runReason(reason: string): string {
  const known = language === 'zh' ? reasons.find(([pattern]) => pattern.test(reason)) : undefined;
  return known ? reason.replace(known[0], known[1]) : reason;
}
