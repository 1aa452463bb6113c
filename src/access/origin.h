#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::access {

// Where the server listens.
struct ListenAddress {
  std::string host;  // "127.0.0.1", "::1", "localhost", "0.0.0.0", "192.0.2.7"
  std::uint16_t port = 0;
  std::string public_host;  // how people reach it through a proxy: "weir.example.com"; "" = not at all
};

// Only this machine can connect: 127.0.0.0/8, ::1, localhost.
bool is_loopback(std::string_view host);

// Is a request's Host header one that this server goes by? On loopback that is localhost, *.localhost, 127.0.0.0/8 or
// [::1] with the right port: a web page whose name was rebound to 127.0.0.1 brings another name. On another address
// names cannot be known, and tokens protect instead: any well-formed header passes. `public_host` always passes.
bool allowed_host(std::string_view host_header, const ListenAddress& listen);

// May a request that changes something come from a page of `origin_header`? Programs send none (""): yes. Browsers must
// come from the server's own pages: http or https, and the same host and port as `host_header`. "null" never.
bool allowed_origin(std::string_view origin_header, std::string_view host_header);

}  // namespace weir::access
