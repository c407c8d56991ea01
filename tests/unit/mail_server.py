"""A real SMTP server (aiosmtpd) for test_notifier.c, on a free loopback port, until standard input ends.

    mail_server.py [--tls FOLDER] [--auth USER:PASSWORD] [--refuse "RCPT 550 no such user"]...

Prints "port N" ("missing" without aiosmtpd), then a line for each mail that it took: sender, recipients, subject, text.
With --tls it takes nothing before STARTTLS, by a certificate of FOLDER/ca.pem. Each --refuse is the answer to one
command, once.
"""
import argparse
import asyncio
import email
import email.policy
import ssl
import subprocess
import sys
import warnings

try:
    from aiosmtpd.smtp import SMTP, AuthResult
except ImportError:
    print("missing", flush=True)
    sys.exit(0)


class Handler:
    def __init__(self, refusals):
        self.refusals = refusals

    def refusal(self, command):
        for refusal in self.refusals:
            if refusal.startswith(command + " "):
                self.refusals.remove(refusal)
                return refusal[len(command) + 1:]
        return None

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = self.refusal("RCPT")
        if not refusal:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        refusal = self.refusal("DATA")
        if refusal:
            return refusal
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(f"mail from={envelope.mail_from} to={','.join(envelope.rcpt_tos)} id={mail['Message-ID']} "
              f"headers={','.join(sorted(mail.keys()))} subject={mail['Subject']} text={mail.get_content().strip()}",
              flush=True)
        return "250 OK"


def context(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key.pem",
                    "-out", f"{folder}/ca.pem"],
                   check=True, capture_output=True)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"{folder}/ca.pem", f"{folder}/key.pem")
    return made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls")
    parser.add_argument("--auth")
    parser.add_argument("--refuse", action="append", default=[])
    given = parser.parse_args()
    warnings.simplefilter("ignore")

    def authenticate(server, session, envelope, mechanism, data):
        return AuthResult(success=f"{data.login.decode()}:{data.password.decode()}" == given.auth)

    options = {"tls_context": context(given.tls), "require_starttls": True} if given.tls else {}
    if given.auth:
        options.update(authenticator=authenticate, auth_required=True, auth_require_tls=True)

    handler = Handler(given.refuse)

    async def serve():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(handler, hostname="localhost", **options), "127.0.0.1", 0)
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        server.close()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
