"""A certificate of the webhooks that is replaced while the API server asks."""

import asyncio
import json
import ssl
from collections.abc import Sequence
from pathlib import Path

from controlplane.config import Address
from controlplane.credentials import FileCredentials
from controlplane.injector.server import Questions, serving_webhooks
from controlplane.model.document import Problem
from tests.support.injection import BLOCK, TEMPLATE
from tests.support.pki import Authority, Leaf

OK = b"HTTP/1.1 200 OK"
REVIEW = json.dumps(
    {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": "1", "namespace": "shop", "object": {"spec": {"containers": [{"name": "a"}]}}},
    }
)


async def _nothing_wrong(_: str) -> Sequence[Problem]:
    return ()


async def _asked(address: Address, authority: Authority) -> tuple[bytes, str]:
    """The status line of an answer on a connection of its own, by number, and the certificate shown there."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    head = f"POST /inject HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(REVIEW)}\r\n\r\n"
    writer.write((head + REVIEW).encode())
    line = await reader.readline()
    writer.close()
    return line.rstrip(), ssl.DER_cert_to_PEM_cert(shown)


def _text(leaf: Leaf) -> str:
    return leaf.certificate.read_text(encoding="utf-8")


async def test_nobody_is_refused_while_a_certificate_is_replaced_file_by_file(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    shown, next_one = authority.leaf("webhook"), authority.leaf("next")
    before = _text(shown)
    questions = Questions(template=TEMPLATE, documents=dict, block=BLOCK, check=_nothing_wrong)
    keyring = FileCredentials(shown.certificate, shown.key)
    async with serving_webhooks(Address(host="127.0.0.1", port=0), keyring, questions) as address:
        assert await _asked(address, authority) == (OK, before)
        shown.certificate.write_bytes(next_one.certificate.read_bytes())
        asked = await asyncio.gather(*(_asked(address, authority) for _ in range(10)))
        assert set(asked) == {(OK, before)}
        shown.key.write_bytes(next_one.key.read_bytes())
        assert await _asked(address, authority) == (OK, _text(next_one))
