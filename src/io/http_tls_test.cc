#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>

#include "io/http_client.h"
#include "io/http_stream.h"
#include "io/http_test_support.h"

namespace weir::io {
namespace {

// Sets a variable of the environment for the life of the object.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

// An https server with a certificate that it has made itself, for the names in `names` ("DNS:localhost"). It answers
// every request with "secure" and, before that, each CONNECT of a proxy with 200.
class TlsServer {
 public:
  explicit TlsServer(const std::string& names, const std::filesystem::path& certificate_file) {
    key_ = EVP_EC_gen("P-256");
    certificate_ = X509_new();
    X509_set_version(certificate_, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
    X509_set_pubkey(certificate_, key_);
    X509_NAME* name = X509_get_subject_name(certificate_);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate_, name);
    X509_EXTENSION* alternative = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    X509_add_ext(certificate_, alternative, -1);
    X509_EXTENSION_free(alternative);
    X509_sign(certificate_, key_, EVP_sha256());
    FILE* file = std::fopen(certificate_file.c_str(), "w");
    PEM_write_X509(file, certificate_);
    std::fclose(file);

    context_ = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(context_, certificate_);
    SSL_CTX_use_PrivateKey(context_, key_);
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd_, 16) != 0) std::abort();
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~TlsServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
    SSL_CTX_free(context_);
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string connect_request() const { return connect_request_; }

 private:
  void serve() {
    while (true) {
      const int peer = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) return;
      char text[4096] = "";
      if (::recv(peer, text, 7, MSG_PEEK | MSG_WAITALL) == 7 && std::string_view{text, 7} == "CONNECT") {
        connect_request_.assign(text, static_cast<std::size_t>(::recv(peer, text, sizeof text, 0)));
        ::send(peer, "HTTP/1.1 200 OK\r\n\r\n", 19, MSG_NOSIGNAL);
      }
      SSL* ssl = SSL_new(context_);
      SSL_set_fd(ssl, peer);
      if (SSL_accept(ssl) == 1 && SSL_read(ssl, text, sizeof text) > 0) {
        const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecure";
        SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
        SSL_shutdown(ssl);
      }
      SSL_free(ssl);
      ::close(peer);
    }
  }

  EVP_PKEY* key_ = nullptr;
  X509* certificate_ = nullptr;
  SSL_CTX* context_ = nullptr;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::string connect_request_;
  std::thread thread_;
};

class HttpTls : public ::testing::Test {
 protected:
  HttpTls() { std::filesystem::create_directories(folder_); }
  ~HttpTls() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::filesystem::path certificate() const { return folder_ / "certificate.pem"; }
  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / fmt::format("weir-tls-{}", ::getpid());
};

TEST_F(HttpTls, TalksToAServerWhoseCertificateIsTrusted) {
  TlsServer server("DNS:localhost,IP:127.0.0.1", certificate());
  const Variable trust("SSL_CERT_FILE", certificate());
  for (const char* host : {"localhost", "127.0.0.1"}) {
    const auto response = testing::call("POST", fmt::format("https://{}:{}/x", host, server.port()), "body");
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "secure");
  }
}

TEST_F(HttpTls, RefusesOtherNamesAndUnknownAuthorities) {
  TlsServer server("DNS:other.example", certificate());
  {
    const Variable trust("SSL_CERT_FILE", certificate());
    const auto wrong_name = testing::call("GET", fmt::format("https://localhost:{}/", server.port()));
    ASSERT_FALSE(wrong_name);
    EXPECT_NE(wrong_name.error().message.find("certificate of localhost is not valid"), std::string::npos)
        << wrong_name.error().message;
  }
  const auto unknown = testing::call("GET", fmt::format("https://127.0.0.1:{}/", server.port()));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kFailedPrecondition) << unknown.error().message;
}

TEST_F(HttpTls, AServerWithoutTlsIsNamed) {
  testing::TestServer plain{Router{}};
  const auto answer = testing::call("GET", fmt::format("https://127.0.0.1:{}/", plain.port()));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
}

TEST_F(HttpTls, GoesThroughTheProxyOfTheEnvironmentButNotToThisMachine) {
  TlsServer server("DNS:far.example", certificate());
  const Variable trust("SSL_CERT_FILE", certificate());
  const Variable proxy("https_proxy", fmt::format("http://127.0.0.1:{}", server.port()));
  const auto response = testing::call("GET", "https://far.example/x");
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "secure");
  EXPECT_TRUE(server.connect_request().starts_with("CONNECT far.example:443 HTTP/1.1\r\n"));

  Router router;
  router.handle("GET", "/x", [](HttpRequest& request) { return text_response(200, request.target); });
  testing::TestServer plain(std::move(router));
  const Variable http_proxy("http_proxy", fmt::format("127.0.0.1:{}", plain.port()));
  EXPECT_EQ(testing::call("GET", "http://far.example/x")->body, "http://far.example/x");
  EXPECT_EQ(testing::call("GET", plain.url("/x"))->body, "/x");
  const Variable excluded("no_proxy", "near.example, .example");
  EXPECT_EQ(proxy_for(*parse_url("http://far.example/x")), "");
  EXPECT_EQ(proxy_for(*parse_url("http://near.example:81/x")), "");
  EXPECT_EQ(proxy_for(*parse_url("http://farexample/x")), fmt::format("127.0.0.1:{}", plain.port()));
}

}  // namespace
}  // namespace weir::io
