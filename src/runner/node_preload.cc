#include "runner/node_preload.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "io/file.h"
#include "runner/container_door.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

// The server's port is appended as the argument.
constexpr std::string_view kScript = R"js('use strict';
// Laid down by weir: makes what an action asks of weir's own server, at https://, plain http.
((port) => {
  const dns = require('dns');
  const net = require('net');
  const tls = require('tls');
  const processes = require('child_process');
  const isHere = (host) => /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+)$/.test(host);

  const lookup = dns.lookup;
  dns.lookup = function (name, ...rest) {
    return lookup.call(this, /\.localhost$/.test(name) ? '127.0.0.1' : name, ...rest);
  };
  // What util.promisify makes of a function is kept at it.
  for (const key of Reflect.ownKeys(lookup)) {
    if (!(key in dns.lookup)) Object.defineProperty(dns.lookup, key, Object.getOwnPropertyDescriptor(lookup, key));
  }

  const connect = tls.connect;
  tls.connect = function (...given) {
    const options = given.find((one) => one !== null && typeof one === 'object') ?? {};
    const to = typeof given[0] === 'number' ? given[0] : options.port;
    const host = typeof given[1] === 'string' ? given[1] : options.host ?? options.hostname ?? 'localhost';
    if (options.socket || Number(to) !== port || !isHere(host)) return connect.apply(this, given);
    const socket = net.connect({port, host: '127.0.0.1'});
    Object.assign(socket, {encrypted: true, authorized: true, authorizationError: null, alpnProtocol: false});
    Object.assign(socket, {getPeerCertificate: () => ({}), getSession: () => undefined, isSessionReused: () => false});
    const told = given.find((one) => typeof one === 'function');
    if (told) socket.once('secureConnect', told);
    socket.once('connect', () => socket.emit('secureConnect'));
    return socket;
  };

  const address = /https:\/\/((?:[^\/@\s]*@)?([\w.-]+):(\d+)(?=\/|$))/g;
  const plain = (text) => typeof text !== 'string' ? text : text.replace(address, (all, rest, host, to) =>
    Number(to) === port && isHere(host) ? `http://${rest}` : all);
  for (const name of ['spawn', 'spawnSync', 'execFile', 'execFileSync']) {
    const start = processes[name];
    const changed = function (program, given, ...rest) {
      const isGit = /(^|\/)git$/.test(String(program));
      return start.call(this, program, isGit && Array.isArray(given) ? given.map(plain) : given, ...rest);
    };
    for (const key of Reflect.ownKeys(start)) {
      if (!(key in changed)) Object.defineProperty(changed, key, Object.getOwnPropertyDescriptor(start, key));
    }
    processes[name] = changed;
  }
  require('module').syncBuiltinESMExports();
}))js";

}  // namespace

Result<fs::path> node_preload(const fs::path& tool_dir, const std::string& server_url) {
  const auto port = loopback_port(server_url);
  if (port == 0) return fs::path();
  const auto script = fmt::format("{}({});\n", kScript, port);
  auto file = tool_dir / "weir-actions" / fmt::format("node-{}.cjs", sha256_hex(script).substr(0, 12));
  std::error_code error;
  if (fs::exists(file, error)) return file;
  WEIR_TRY(io::make_dirs(file.parent_path()));
  WEIR_TRY(io::write_file_atomic(file, script));
  return file;
}

}  // namespace weir::runner
