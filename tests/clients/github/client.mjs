// Calls of GitHub's published clients, as an action makes them: node client.mjs CLIENT 'return await octokit.rest.…'.
// CLIENT is rest (@octokit/rest), github (@actions/github) or rest18 (@octokit/rest as older programs have it). The last
// line on standard output is the answer as JSON: {"ok": …} or {"error": …, "status": …, "data": …}, of GraphQL
// {"error": …, "errors": […], "data": …}.
const [client, body] = process.argv.slice(2)
const token = process.env.GITHUB_TOKEN || undefined
const baseUrl = process.env.GITHUB_API_URL
const log = { debug() {}, info() {}, warn() {}, error() {} }

async function make() {
  if (client === 'github') {
    const github = await import('@actions/github')
    return github.getOctokit(token, { log })
  }
  if (client === 'rest18') {
    const { Octokit } = await import('octokit-rest-18')
    const { throttling } = await import('@octokit/plugin-throttling')
    const throttle = { onAbuseLimit: () => false, onRateLimit: () => false }
    const made = new (Octokit.plugin(throttling))({ auth: token, baseUrl, log, throttle })
    return Object.assign(made, { rest: made })
  }
  const { Octokit } = await import('@octokit/rest')
  return new Octokit({ auth: token, baseUrl, log })
}

const AsyncFunction = (async () => {}).constructor
const [owner, repo] = (process.env.GITHUB_REPOSITORY ?? 'weir/project').split('/')
try {
  const given = JSON.parse(process.env.GIVEN ?? '{}')
  const answer = await new AsyncFunction('octokit', 'at', 'given', body)(await make(), { owner, repo }, given)
  console.log(JSON.stringify({ ok: answer ?? null }))
} catch (error) {
  if (error.name === 'GraphqlResponseError') {
    console.log(JSON.stringify({ error: error.message, errors: error.errors, data: error.data ?? null }))
    process.exit()
  }
  if (error.status === undefined) throw error
  console.log(JSON.stringify({ error: error.message, status: error.status, data: error.response?.data ?? null }))
}
