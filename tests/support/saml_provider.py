"""A company's SAML provider: it reads our request, and signs the answer it is told to give."""

from __future__ import annotations

import base64
import uuid
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
MAIL = "urn:oid:0.9.2342.19200300.100.1.3"
ENTITY_ID, SSO_URL = "https://login.acme.example/saml", "https://login.acme.example/saml/sign-on"
NAMES = {
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}


@dataclass
class Signer:
    """A key and its certificate. pem: the certificate."""

    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    days: int = 365

    @property
    def pem(self) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "login.acme.example")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=400))
            .not_valid_after(now + timedelta(days=self.days))
            .sign(self.key, hashes.SHA256())
        )
        return made.public_bytes(Encoding.PEM).decode()

    @property
    def private_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, node: etree._Element, *, sha1: bool = False) -> None:
        """Put a signature over the node into it, after its issuer."""
        method = xmlsec.constants.TransformRsaSha1 if sha1 else xmlsec.constants.TransformRsaSha256
        digest = xmlsec.constants.TransformSha1 if sha1 else xmlsec.constants.TransformSha256
        signature = xmlsec.template.create(node, xmlsec.constants.TransformExclC14N, method, ns="ds")
        node.insert(1, signature)
        reference = xmlsec.template.add_reference(signature, digest, uri=f"#{node.get('ID')}")
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
        xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_memory(self.private_pem, xmlsec.constants.KeyDataFormatPem)
        context.register_id(node, "ID")
        context.sign(signature)


def read_request(location: str) -> etree._Element:
    """Return our request out of the address that the browser was sent to."""
    packed = base64.b64decode(parse_qs(urlsplit(location).query)["SAMLRequest"][0])
    return etree.fromstring(zlib.decompress(packed, -15))


@dataclass(frozen=True)
class Statement:
    """What an answer says; each field is one that a test may bend."""

    request_id: str
    acs: str
    audience: str
    email: str = "dana@acme.example"
    name: str = "person-1"
    name_format: str = PERSISTENT
    issuer: str = ENTITY_ID
    starts: timedelta = timedelta(seconds=-30)
    ends: timedelta = timedelta(minutes=5)
    proved: timedelta = timedelta()
    status: str = "Success"
    response_request_id: str = ""  # where it differs from the signed one
    recipient: str = ""
    attribute: str = MAIL


def write_answer(told: Statement) -> etree._Element:
    """Return the response, unsigned."""

    def at(offset: timedelta) -> str:
        return f"{datetime.now(UTC) + offset:%Y-%m-%dT%H:%M:%SZ}"

    answered = f' InResponseTo="{told.request_id}"' if told.request_id else ""
    outside = told.response_request_id or told.request_id
    outer = f' InResponseTo="{outside}"' if outside else ""
    audience = (
        f"<saml:AudienceRestriction><saml:Audience>{told.audience}</saml:Audience></saml:AudienceRestriction>"
        if told.audience
        else ""
    )
    return etree.fromstring(
        f"""<samlp:Response xmlns:samlp="{NAMES["samlp"]}" xmlns:saml="{NAMES["saml"]}" ID="_{uuid.uuid4().hex}"
 Version="2.0" IssueInstant="{at(timedelta())}" Destination="{told.acs}"{outer}>
<saml:Issuer>{told.issuer}</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{told.status}"/></samlp:Status>
<saml:Assertion ID="_{uuid.uuid4().hex}" Version="2.0" IssueInstant="{at(timedelta())}">
<saml:Issuer>{told.issuer}</saml:Issuer>
<saml:Subject><saml:NameID Format="{told.name_format}">{escape(told.name)}</saml:NameID>
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
<saml:SubjectConfirmationData NotOnOrAfter="{at(told.ends)}" Recipient="{told.recipient or told.acs}"{answered}/>
</saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{at(told.starts)}" NotOnOrAfter="{at(told.ends)}">{audience}</saml:Conditions>
<saml:AuthnStatement AuthnInstant="{at(told.proved)}" SessionIndex="_1"><saml:AuthnContext>
<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>
</saml:AuthnContext></saml:AuthnStatement>
<saml:AttributeStatement><saml:Attribute Name="{told.attribute}">
<saml:AttributeValue>{escape(told.email)}</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>
</saml:Assertion></samlp:Response>""".encode()
    )


def find_assertion(response: etree._Element) -> etree._Element:
    found = response.find("saml:Assertion", NAMES)
    assert found is not None
    return found


def pack(response: etree._Element | bytes) -> str:
    return base64.b64encode(response if isinstance(response, bytes) else etree.tostring(response)).decode()
