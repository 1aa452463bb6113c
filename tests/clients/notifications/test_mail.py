"""Mail through servers of aiosmtpd: TLS in both ways, logins, and what must not be sent."""

import email
import email.policy
import socket

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from conftest import notifications, secret, tell, wait_until


class Mailbox:
    def __init__(self):
        self.mails = []
        self.logins = []
        self.refuse = None  # an answer to the message

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            return self.refuse
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 taken"

    def authenticate(self, server, session, envelope, mechanism, data):
        assert isinstance(data, LoginPassword)
        self.logins.append((mechanism, data.login, data.password))
        return AuthResult(success=data.password == b"pass word", handled=data.password == b"pass word")


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def mail_server(mailbox):
    """Starts a mail server; gives its port."""
    started = []

    def start(**options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
        controller.start()
        started.append(controller)
        return port

    yield start
    for controller in started:
        controller.stop()


def weir_yaml(address, more=""):
    return f"notify:\n  - {{to: mailto:ml@example.com}}\nmail:\n  server: {address}\n  from: weir@example.com\n{more}"


LOGIN = '  user: weir\n  password: "${{ secrets.SMTP_PASSWORD }}"\n'


@pytest.mark.parametrize("how", ["smtps", "starttls"])
def test_mail_arrives_by_tls_with_a_login(how, serve, push, certificate, tls, mailbox, mail_server):
    login = {"auth_required": True, "authenticator": mailbox.authenticate}
    if how == "smtps":
        port = mail_server(ssl_context=tls, auth_require_tls=False, **login)
    else:
        port = mail_server(tls_context=tls, require_starttls=True, **login)
    server = serve(SSL_CERT_FILE=str(certificate[0]))
    secret(server, "SMTP_PASSWORD", "pass word")
    push(server, weir_yaml(f"{'smtps' if how == 'smtps' else 'smtp'}://localhost:{port}", LOGIN))
    tell(server, "Genauigkeit fällt: 准确率 0.61\n.\n.. and more", title="Flüge\r\nBcc: all@example.com")
    wait_until(lambda: mailbox.mails, what="the mail")
    sender, recipients, mail = mailbox.mails[0]
    assert (sender, recipients) == ("weir@example.com", ["ml@example.com"])
    assert mail["Subject"] == "[weir] Flüge"
    assert mail["Bcc"] is None
    assert mail["From"] == "weir <weir@example.com>"
    assert mail["To"] == "ml@example.com"
    assert mail["Date"].datetime.year >= 2024
    assert mail.get_content() == "Flüge\r\nBcc: all@example.com: Genauigkeit fällt: 准确率 0.61\n.\n.. and more"
    assert mailbox.logins[0][1:] == (b"weir", b"pass word")
    wait_until(lambda: notifications(server, "sent"), what="it to be recorded")
    assert mail["Message-ID"].startswith("<weir-")


def test_what_a_mail_server_must_not_get(serve, push, certificate, tls, mailbox, mail_server):
    # A certificate that nobody vouches for: not a byte of the login is sent.
    port = mail_server(ssl_context=tls, auth_required=True, auth_require_tls=False, authenticator=mailbox.authenticate)
    server = serve()
    secret(server, "SMTP_PASSWORD", "pass word")
    push(server, weir_yaml(f"smtps://localhost:{port}", LOGIN))
    tried = server.cli("notifications", "test", check=False)
    assert tried.returncode == 1
    assert "the certificate of localhost is not valid: self-signed certificate" in tried.stdout
    assert mailbox.logins == [] and mailbox.mails == []


def test_a_certificate_of_another_name_is_none(serve, push, certificate, tls, mail_server):
    port = mail_server(tls_context=tls, require_starttls=True)
    server = serve(SSL_CERT_FILE=str(certificate[0]))
    push(server, weir_yaml(f"smtp://127.0.0.1:{port}"))
    tried = server.cli("notifications", "test", check=False)
    assert "the certificate of 127.0.0.1 is not valid: IP address mismatch" in tried.stdout


def test_a_wrong_password_is_told_and_put_right(serve, push, certificate, tls, mailbox, mail_server):
    port = mail_server(ssl_context=tls, auth_required=True, auth_require_tls=False, authenticator=mailbox.authenticate)
    server = serve(SSL_CERT_FILE=str(certificate[0]))
    secret(server, "SMTP_PASSWORD", "hunter22")
    push(server, weir_yaml(f"smtps://localhost:{port}", LOGIN))
    tried = server.cli("notifications", "test", "mailto:ml@example.com", check=False)
    assert "localhost would not log in: 535" in tried.stdout
    assert "hunter22" not in tried.stdout
    # What was wrong is put right and the message, which waits, arrives.
    secret(server, "SMTP_PASSWORD", "pass word")
    waiting = notifications(server, "retrying")[0]
    assert server.cli("notifications", "retry", str(waiting["id"])).returncode == 0
    wait_until(lambda: mailbox.mails, what="the mail")


def test_a_refused_mail_is_tried_again_unmarked(serve, push, mailbox, mail_server):
    port = mail_server()  # without TLS: loopback
    server = serve()
    push(server, weir_yaml(f"smtp://127.0.0.1:{port}"))
    mailbox.refuse = "451 later"
    tell(server, "it broke")
    failed = wait_until(lambda: notifications(server, "retrying"), what="a refusal")[0]
    assert failed["problem"] == "127.0.0.1 would not take the message: 451 later"
    mailbox.refuse = None
    wait_until(lambda: mailbox.mails, what="the mail")
    assert mailbox.mails[0][2].get_content() == "it broke\r\n"
    assert notifications(server)[0]["possibly_repeated"] is False
