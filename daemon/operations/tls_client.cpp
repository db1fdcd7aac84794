#include "daemon/operations/tls_client.hpp"

#include <array>
#include <cerrno>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>

namespace netlab::operations {

namespace {

using Clock = Output::Clock;

template <auto function>
struct FreeWith {
    template <class T>
    void operator()(T* handle) const {
        function(handle);
    }
};
using Context = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, FreeWith<SSL_free>>;
using Memory = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;

/// What was heard of the other end's messages.
struct Heard {
    bool server_hello = false;
    std::string alert;
};

void hear(int is_ours, int, int kind, const void* message, std::size_t size, SSL*, void* heard_) {
    auto& heard = *static_cast<Heard*>(heard_);
    const auto* bytes = static_cast<const unsigned char*>(message);
    if (is_ours != 0 || size == 0) return;
    if (kind == SSL3_RT_HANDSHAKE && bytes[0] == SSL3_MT_SERVER_HELLO) heard.server_hello = true;
    if (kind == SSL3_RT_ALERT && size > 1) heard.alert = SSL_alert_desc_string_long(bytes[1]);
}

std::string library_error() {
    const auto code = ERR_peek_error();
    const char* reason = ERR_reason_error_string(code);
    std::string text = reason != nullptr ? reason : "it is not understood";
    ERR_clear_error();
    return text;
}

std::string subject_of(SSL* ssl) {
    const Certificate certificate(SSL_get1_peer_certificate(ssl));
    const Memory text(BIO_new(BIO_s_mem()));
    if (!certificate || !text) return {};
    X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate.get()), 0, XN_FLAG_RFC2253);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(text.get(), &bytes);
    constexpr long most = 1024;
    return size > 0 ? std::string(bytes, static_cast<std::size_t>(std::min(size, most))) : std::string();
}

/// One handshake between the library's state machine and the socket.
class Handshake {
  public:
    Handshake(Session ssl, int socket, Clock::time_point until, const TlsClient::Wait& wait)
        : ssl_(std::move(ssl)), socket_(socket), until_(until), wait_(wait) {}

    Result<api::TlsAnswer> run() {
        SSL_set_msg_callback(ssl_.get(), &hear);
        SSL_set_msg_callback_arg(ssl_.get(), &heard_);
        // They are the session's from here on.
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl_.get());
        for (;;) {
            ERR_clear_error();
            const int done = SSL_do_handshake(ssl_.get());
            const int what = SSL_get_error(ssl_.get(), done);
            std::string failure = done != 1 && what != SSL_ERROR_WANT_READ ? library_error() : std::string();
            if (auto sent = send_out(); !sent) return sent.error();
            if (done == 1) return answer({});
            if (!failure.empty()) return answer(heard_.alert.empty() ? failure : "alert: " + heard_.alert);
            const auto more = receive();
            if (!more) return more.error();
            if (!more->empty()) return answer(*more);
        }
    }

  private:
    [[nodiscard]] api::TlsAnswer answer(std::string error) const {
        api::TlsAnswer out;
        out.server_hello = heard_.server_hello;
        if (!error.empty()) out.error = std::move(error);
        if (!heard_.server_hello) return out;
        out.version = SSL_get_version(ssl_.get());
        if (const auto* cipher = SSL_get_current_cipher(ssl_.get())) out.cipher = SSL_CIPHER_get_name(cipher);
        const unsigned char* protocol = nullptr;
        unsigned length = 0;
        SSL_get0_alpn_selected(ssl_.get(), &protocol, &length);
        if (length > 0) out.alpn = std::string(reinterpret_cast<const char*>(protocol), length);
        if (auto subject = subject_of(ssl_.get()); !subject.empty()) out.subject = std::move(subject);
        return out;
    }

    /// What the library wants to say. That the other end takes no more is seen when nothing comes from it.
    Result<void> send_out() {
        char* bytes = nullptr;
        const long size = BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &bytes);
        std::span<const char> rest(bytes, size > 0 ? static_cast<std::size_t>(size) : 0);
        while (!rest.empty()) {
            const auto sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
            if (sent >= 0) {
                rest = rest.subspan(static_cast<std::size_t>(sent));
                continue;
            }
            if (errno != EAGAIN) break;
            const auto ready = wait_(POLLOUT, until_);
            if (!ready) return ready.error();
            if (!*ready) break;
        }
        (void)BIO_reset(SSL_get_wbio(ssl_.get()));
        return {};
    }

    /// Hands on what comes; why nothing did, else "".
    Result<std::string> receive() {
        for (;;) {
            const auto ready = wait_(POLLIN, until_);
            if (!ready) return ready.error();
            if (!*ready) return std::string("no answer to the ClientHello in time");
            std::array<char, 16 * 1024> bytes;
            const auto got = ::recv(socket_, bytes.data(), bytes.size(), 0);
            if (got < 0 && errno == EAGAIN) continue;
            if (got == 0) return std::string("the other end closed the connection");
            if (got < 0) return std::string("the other end reset the connection");
            taken_ += static_cast<std::size_t>(got);
            // A chain of certificates is some KiB; who sends more than this wants to keep us here.
            constexpr std::size_t most = 256 * 1024;
            if (taken_ > most) return std::string("the other end's handshake has no end");
            (void)BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(got));
            return std::string();
        }
    }

    Session ssl_;
    int socket_;
    Clock::time_point until_;
    const TlsClient::Wait& wait_;
    Heard heard_;
    std::size_t taken_ = 0;
};

Error no_library() {
    return {errc::operation_failed, "cannot start OpenSSL: " + library_error(), {}, {}};
}

}  // namespace

struct TlsClient::Library {
    Context context;
    std::string name;  ///< for the ClientHello; "" for none

    [[nodiscard]] Session session() const {
        Session ssl(SSL_new(context.get()));
        if (ssl && !name.empty()) SSL_set_tlsext_host_name(ssl.get(), name.c_str());
        return ssl;
    }
};

TlsClient::TlsClient(std::unique_ptr<Library> library) : library_(std::move(library)) {}
TlsClient::TlsClient(TlsClient&&) noexcept = default;
TlsClient& TlsClient::operator=(TlsClient&&) noexcept = default;
TlsClient::~TlsClient() = default;

Result<TlsClient> TlsClient::open(const std::string& name) {
    // Not the machine's openssl.cnf: it may name engines and providers, which are programs.
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr) != 1)
        return no_library();
    auto library = std::make_unique<Library>();
    library->context.reset(SSL_CTX_new(TLS_client_method()));
    auto* context = library->context.get();
    if (context == nullptr) return no_library();
    library->name = name;
    // The question is what the other end speaks, not whether it should be trusted: old versions and weak keys
    // too.
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    static constexpr std::array<unsigned char, 12> protocols{2,   'h', '2', 8,   'h', 't',
                                                             't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(context, protocols.data(), protocols.size());
    // The first ClientHello is made here for nothing: what the library loads for it is loaded now.
    const auto first = library->session();
    if (!first) return no_library();
    SSL_set_bio(first.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(first.get());
    (void)SSL_do_handshake(first.get());
    ERR_clear_error();
    return TlsClient(std::move(library));
}

Result<api::TlsAnswer> TlsClient::greet(int socket, std::chrono::nanoseconds patience, const Wait& wait) {
    auto ssl = library_->session();
    if (!ssl) return no_library();
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(patience);
    return Handshake(std::move(ssl), socket, until, wait).run();
}

}  // namespace netlab::operations
