#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <unistd.h>

#include <memory>

#include "io/http_stream.h"

namespace weir::io {
namespace {

struct Free {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

std::string last_tls_error() {
  const unsigned long code = ERR_get_error();
  if (code == 0) return "the connection broke";
  char text[256];
  ERR_error_string_n(code, text, sizeof text);
  return text;
}

class TlsStream final : public ClientStream {
 public:
  TlsStream(int fd, Duration limit) : fd_(fd), limit_(limit) {}
  ~TlsStream() override {
    ssl_.reset();
    ::close(fd_);
  }

  Result<void> handshake(const std::string& host) {
    ERR_clear_error();
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (context_ == nullptr) return fail(Code::kInternal, "cannot start TLS: {}", last_tls_error());
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_default_verify_paths(context_.get());  // honours SSL_CERT_FILE and SSL_CERT_DIR
    SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ssl_.reset(SSL_new(context_.get()));
    if (ssl_ == nullptr) return fail(Code::kInternal, "cannot start TLS: {}", last_tls_error());
    SSL_set_fd(ssl_.get(), fd_);
    unsigned char address[16];
    if (::inet_pton(AF_INET, host.c_str(), address) == 1 || ::inet_pton(AF_INET6, host.c_str(), address) == 1) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
    } else {
      SSL_set_tlsext_host_name(ssl_.get(), const_cast<char*>(host.c_str()));
      SSL_set1_host(ssl_.get(), host.c_str());
    }
    while (true) {
      const int result = SSL_connect(ssl_.get());
      if (result == 1) return {};
      const auto again = wait(result);
      if (!again && again.error().code == Code::kDeadlineExceeded) return std::unexpected(again.error());
      if (again) continue;
      const long verdict = SSL_get_verify_result(ssl_.get());
      if (verdict != X509_V_OK) {
        return fail(Code::kFailedPrecondition, "the certificate of {} is not valid: {}", host,
                    X509_verify_cert_error_string(verdict));
      }
      return fail(Code::kUnavailable, "TLS with {} failed: {}", host, again.error().message);
    }
  }

  Result<std::size_t> read(char* buffer, std::size_t size) override {
    while (true) {
      ERR_clear_error();
      std::size_t got = 0;
      const int result = SSL_read_ex(ssl_.get(), buffer, size, &got);
      if (result == 1) return got;
      if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN) return 0;
      WEIR_TRY(wait(result));
    }
  }

  Result<std::size_t> write(std::string_view bytes) override {
    while (true) {
      ERR_clear_error();
      std::size_t sent = 0;
      const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent);
      if (result == 1) return sent;
      WEIR_TRY(wait(result));
    }
  }

  // A readable socket may hold only a session ticket, so this tells of decrypted bytes alone.
  bool readable() override { return SSL_pending(ssl_.get()) > 0; }

 private:
  // After a call that could not go on: waits for what it needs, or gives the error.
  Result<void> wait(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ: return wait_for(fd_, POLLIN, limit_);
      case SSL_ERROR_WANT_WRITE: return wait_for(fd_, POLLOUT, limit_);
      default: return fail(Code::kUnavailable, "{}", last_tls_error());
    }
  }

  int fd_;
  Duration limit_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace

Result<std::unique_ptr<ClientStream>> start_tls(int fd, const std::string& host, Duration limit) {
  auto stream = std::make_unique<TlsStream>(fd, limit);
  WEIR_TRY(stream->handshake(host));
  return stream;
}

}  // namespace weir::io
