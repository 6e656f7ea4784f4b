"""Malformed HTTP, JSON and base64 get a precise answer each."""
import json
import os
import socket
import ssl
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import qkms

url = urllib.parse.urlparse(qkms.ENDPOINT)
context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
credentials = botocore.credentials.Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])


def exchange(data):
    with context.wrap_socket(socket.create_connection((url.hostname, url.port)), server_hostname=url.hostname) as link:
        link.settimeout(20)
        link.sendall(data)
        answer = b""
        try:
            while piece := link.recv(65536):
                answer += piece
        except (ConnectionError, ssl.SSLError):
            pass
        return answer


def signed(body, target="TrentService.Sign"):
    request = botocore.awsrequest.AWSRequest("POST", qkms.ENDPOINT + "/", data=body, headers={
        "Host": url.netloc, "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target})
    botocore.auth.SigV4Auth(credentials, "kms", os.environ["AWS_REGION"]).add_auth(request)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST / HTTP/1.1\r\n{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def error_of(answer):
    head, body = answer.split(b"\r\n\r\n", 1)
    return int(head.split(b" ")[1]), json.loads(body)["__type"]


for name, data, status in (
        ("not HTTP", b"\x00\x01\x02 nonsense\r\n\r\n", b"400"),
        ("two lengths", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nxx", b"400"),
        ("length and chunks", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        ("no host", b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"400"),
        ("an endless line", b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n", b"414"),
        ("an endless head", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n", b"431"),
        ("a huge body", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", b"413")):
    answer = exchange(data)
    if not answer.startswith(b"HTTP/1.1 " + status):
        qkms.fail(f"{name}: want {status!r}, got {answer[:120]!r}")
    qkms.ok(f"{name}: {status.decode()}")

for name, body, target, want in (
        ("not JSON", b"{nonsense", "TrentService.Sign", "SerializationException"),
        ("not an object", b"[1]", "TrentService.Sign", "SerializationException"),
        ("a name twice", b'{"KeyId":"a","KeyId":"b"}', "TrentService.Sign", "SerializationException"),
        ("deep nesting", b"[" * 5000 + b"]" * 5000, "TrentService.Sign", "SerializationException"),
        ("bad base64", b'{"KeyId":"a","Message":"!!!","SigningAlgorithm":"ECDSA_SHA_256"}', "TrentService.Sign", "SerializationException"),
        ("a number as a key", b'{"KeyId":7,"Message":"YQ==","SigningAlgorithm":"ECDSA_SHA_256"}', "TrentService.Sign", "SerializationException"),
        ("nothing given", b"{}", "TrentService.Sign", "ValidationException"),
        ("an unknown operation", b"{}", "TrentService.MakeCoffee", "UnknownOperationException"),
        ("an unknown service", b"{}", "Nonsense.Sign", "UnknownOperationException")):
    got = error_of(exchange(signed(body, target)))
    qkms.equal(name, got, (400, want))

unsigned = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Amz-Target: TrentService.ListKeys\r\nContent-Length: 2\r\n\r\n{}"
qkms.equal("no signature", error_of(exchange(unsigned)), (400, "MissingAuthenticationTokenException"))
altered = signed(b'{"Limit":1}', "TrentService.ListKeys").replace(b'{"Limit":1}', b'{"Limit":9}')
qkms.equal("an altered body", error_of(exchange(altered)), (400, "InvalidSignatureException"))
