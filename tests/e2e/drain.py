"""drain.py PID: requests that are under way when the coordinator gets SIGTERM are answered in full."""
import os
import signal
import socket
import ssl
import sys
import threading
import time
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import qkms

pid, count = int(sys.argv[1]), 6
url = urllib.parse.urlparse(qkms.ENDPOINT)
body = b'{"KeySpec":"ECC_NIST_P521","KeyUsage":"SIGN_VERIFY"}'
credentials = botocore.credentials.Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])


def request():
    signed = botocore.awsrequest.AWSRequest("POST", qkms.ENDPOINT + "/", data=body, headers={
        "Host": url.netloc, "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.CreateKey"})
    botocore.auth.SigV4Auth(credentials, "kms", os.environ["AWS_REGION"]).add_auth(signed)
    head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
    return f"POST / HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def read_all(connection):
    data = b""
    while True:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
        if b"\r\n\r\n" in data:
            head, rest = data.split(b"\r\n\r\n", 1)
            length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if length and len(rest) >= length[0]:
                return data


context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
connections = [context.wrap_socket(socket.create_connection((url.hostname, url.port)), server_hostname=url.hostname)
               for _ in range(count)]
answers = [b""] * count


def wait(i):
    connections[i].settimeout(30)
    try:
        answers[i] = read_all(connections[i])
    except OSError as error:
        answers[i] = repr(error).encode()


for connection in connections:
    connection.sendall(request())
waiting = [threading.Thread(target=wait, args=(i,)) for i in range(count)]
for one in waiting:
    one.start()
time.sleep(0.05)
os.kill(pid, signal.SIGTERM)
for one in waiting:
    one.join()
for answer in answers:
    if not answer.startswith(b"HTTP/1.1 200 "):
        qkms.fail(f"a request under way got {answer[:200]!r}")
qkms.ok(f"{count} requests that were under way at SIGTERM were answered")
