// One call of GitHub's published clients, as an action makes it: node client.mjs CALL '{"…": …}'. The last line on
// standard output is the answer as JSON: {"ok": …} or {"error": "…"}.
import fs from 'node:fs'

const [call, text] = process.argv.slice(2)
const given = JSON.parse(text ?? '{}')

const calls = {
  async upload({ name, files, root, options }) {
    const { DefaultArtifactClient } = await import('@actions/artifact')
    return new DefaultArtifactClient().uploadArtifact(name, files, root, options)
  },
  async list({ options }) {
    const { DefaultArtifactClient } = await import('@actions/artifact')
    return new DefaultArtifactClient().listArtifacts(options)
  },
  async get({ name, options }) {
    const { DefaultArtifactClient } = await import('@actions/artifact')
    return new DefaultArtifactClient().getArtifact(name, options)
  },
  async download({ id, path, options }) {
    const { DefaultArtifactClient } = await import('@actions/artifact')
    return new DefaultArtifactClient().downloadArtifact(id, { path, ...options })
  },
  async remove({ name, options }) {
    const { DefaultArtifactClient } = await import('@actions/artifact')
    return new DefaultArtifactClient().deleteArtifact(name, options)
  },
  async save({ paths, key }) {
    const cache = await import('@actions/cache')
    return cache.saveCache(paths, key)
  },
  async restore({ paths, key, restoreKeys, options }) {
    const cache = await import('@actions/cache')
    return (await cache.restoreCache(paths, key, restoreKeys, options)) ?? null
  },
  // By the client of before the cache service's version 2.
  async oldSave({ paths, key, options }) {
    return (await import('cache-v1')).saveCache(paths, key, options)
  },
  async oldRestore({ paths, key, restoreKeys, options }) {
    return (await (await import('cache-v1')).restoreCache(paths, key, restoreKeys, options)) ?? null
  },
  async idToken({ audience }) {
    const core = await import('@actions/core')
    return core.getIDToken(audience)
  },
  // Verifies by the issuer's published keys, as a cloud provider does.
  async verify({ token, issuer, audience }) {
    const { createRemoteJWKSet, jwtVerify } = await import('jose')
    const found = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
    const keys = createRemoteJWKSet(new URL(found.jwks_uri))
    return jwtVerify(token, keys, { issuer, audience })
  },
  async tool({ url, folder, name, version }) {
    const tools = await import('@actions/tool-cache')
    const zip = await tools.downloadTool(url)
    const unpacked = await tools.extractZip(zip, folder)
    const path = await tools.cacheDir(unpacked, name, version)
    return { path, found: tools.find(name, version) === path, files: fs.readdirSync(path) }
  },
}

try {
  console.log('\n' + JSON.stringify({ ok: (await calls[call](given)) ?? null }))
} catch (error) {
  console.log('\n' + JSON.stringify({ error: `${error.name}: ${error.message}` }))
}
