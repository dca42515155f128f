"""Answers of SAML providers in the shapes they document: names, attributes, formats, and what is signed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

import xmlsec
from lxml import etree

from .saml_provider import NAMES, PERSISTENT, Signer, Statement, find_assertion, write_answer

DANA = "dana@acme.example"
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
MICROSOFT = "http://schemas.microsoft.com"
FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format"
URI, BASIC, UNSPECIFIED = (
    f"urn:oasis:names:tc:SAML:2.0:attrname-format:{kind}" for kind in ("uri", "basic", "unspecified")
)
SCHEMA = "http://www.w3.org/2001/XMLSchema"


@dataclass(frozen=True)
class Shape:
    """How a provider answers.

    attributes: name, format ("" for none) and values; one element each. signs: what it signs.
    email_attribute: what an owner types on the page. fraction: of the seconds in its instants.
    """

    issuer: str
    name: str
    name_format: str
    attributes: tuple[tuple[str, str, tuple[str, ...]], ...]
    email_attribute: str = ""
    signs: str = "assertion"
    context: str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
    fraction: str = ""
    value_type: str = ""
    session_ends: bool = False


SHAPES = {
    "Entra ID": Shape(
        issuer="https://sts.windows.net/8f14e45f-ceea-467f-a0e6-1d2c3b4a5968/",
        name="dana_acme.example#EXT#",
        name_format=PERSISTENT,
        attributes=(
            (f"{MICROSOFT}/identity/claims/tenantid", "", ("8f14e45f-ceea-467f-a0e6-1d2c3b4a5968",)),
            (f"{MICROSOFT}/identity/claims/objectidentifier", "", ("00000000-0000-0000-66f3-3332eca7ea81",)),
            (f"{MICROSOFT}/claims/authnmethodsreferences", "", ("urn:password", "urn:multipleauthn")),
            (f"{CLAIMS}/givenname", "", ("Dana",)),
            (f"{CLAIMS}/emailaddress", "", (DANA,)),
            (f"{CLAIMS}/name", "", (DANA,)),
        ),
        email_attribute=f"{CLAIMS}/emailaddress",
        context="urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
        fraction=".123",
    ),
    "Okta": Shape(
        issuer="http://www.okta.com/exk1fcia6d6EMsf331d8",
        name=DANA,
        name_format=f"{FORMAT}:unspecified",
        attributes=(("email", UNSPECIFIED, (DANA,)), ("groups", UNSPECIFIED, ("Everyone", "Sales"))),
        email_attribute="email",
        signs="both",
        fraction=".456",
        value_type="xs:string",
    ),
    "Google": Shape(
        issuer="https://accounts.google.com/o/saml2?idpid=C01abc234",
        name=DANA,
        name_format=f"{FORMAT}:emailAddress",
        attributes=(("department", "", ("Sales",)),),
        fraction=".789",
        value_type="xs:anyType",
        context="urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
    ),
    "Keycloak": Shape(
        issuer="https://login.acme.example/realms/acme",
        name="G-f3a1c5c2-9c59-4c83-bb0d-3f8f4cf2b4b0",
        name_format=PERSISTENT,
        attributes=(
            ("email", BASIC, (DANA,)),
            *(
                ("Role", BASIC, (role,))
                for role in ("default-roles-acme", "offline_access", "uma_authorization")
            ),
        ),
        email_attribute="email",
        signs="both",
        context="urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
        fraction=".001",
        value_type="xs:string",
        session_ends=True,
    ),
    "PingOne": Shape(
        issuer="https://auth.pingone.eu/8f14e45f-ceea-467f-a0e6-1d2c3b4a5968",
        name="5a9c2b0e-7a43-4a2b-9d1e-6f8a3c1b2d4e",
        name_format=f"{FORMAT}:unspecified",
        attributes=(("email", BASIC, (DANA,)),),
        email_attribute="email",
        fraction=".250",
        value_type="xs:string",
    ),
    "ADFS": Shape(
        issuer="http://adfs.acme.example/adfs/services/trust",
        name="kpLvOKlBRZEZRiPXeqXOE5ryTPO9P1zg6l1Ps8ypqWY=",
        name_format=PERSISTENT,
        attributes=(
            (f"{CLAIMS}/emailaddress", "", ("Dana@Acme.Example",)),
            (f"{CLAIMS}/upn", "", ("dana@corp.acme.example",)),
            (f"{MICROSOFT}/ws/2008/06/identity/claims/groups", "", ("Domain Users", "Sales")),
        ),
        email_attribute=f"{CLAIMS}/emailaddress",
        context="urn:federation:authentication:windows",
        fraction=".3219876",
    ),
}


def write_shape(told: Statement, shape: Shape) -> etree._Element:
    """Return the response as this provider shapes it, unsigned."""
    plain = write_answer(replace(told, issuer=shape.issuer, name=shape.name, name_format=shape.name_format))
    text = etree.tostring(plain).decode()
    written = "".join(_write(shape, *one) for one in shape.attributes)
    statement = f"<saml:AttributeStatement>{written}</saml:AttributeStatement>"
    text = re.sub(
        r"<saml:AttributeStatement>.*?</saml:AttributeStatement>", lambda _: statement, text, flags=re.DOTALL
    )
    text = text.replace("urn:oasis:names:tc:SAML:2.0:ac:classes:Password<", f"{shape.context}<")
    text = re.sub(r'(T\d\d:\d\d:\d\d)Z"', rf'\1{shape.fraction}Z"', text)
    if shape.session_ends:
        text = text.replace(
            'SessionIndex="_1"', 'SessionIndex="_1" SessionNotOnOrAfter="2099-01-01T00:00:00Z"'
        )
    return etree.fromstring(text.encode())


def _write(shape: Shape, name: str, name_format: str, values: tuple[str, ...]) -> str:
    kind = f' NameFormat="{name_format}"' if name_format else ""
    typed = (
        f' xmlns:xs="{SCHEMA}" xmlns:xsi="{SCHEMA}-instance" xsi:type="{shape.value_type}"'
        if shape.value_type
        else ""
    )
    inside = "".join(f"<saml:AttributeValue{typed}>{escape(value)}</saml:AttributeValue>" for value in values)
    return f'<saml:Attribute Name="{name}"{kind}>{inside}</saml:Attribute>'


def sign_shape(response: etree._Element, shape: Shape, signer: Signer) -> etree._Element:
    signer.sign(find_assertion(response))
    if shape.signs == "both":
        signer.sign(response)
    return response


def encrypt(response: etree._Element, signer: Signer) -> etree._Element:
    """Put an encrypted assertion where the signed one stands."""
    assertion = find_assertion(response)
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(signer.pem, xmlsec.constants.KeyDataFormatCertPem))
    data = xmlsec.template.encrypted_data_create(
        assertion, xmlsec.constants.TransformAes128Cbc, type=xmlsec.constants.TypeEncElement, ns="xenc"
    )
    xmlsec.template.encrypted_data_ensure_cipher_value(data)
    info = xmlsec.template.encrypted_data_ensure_key_info(data, ns="ds")
    key = xmlsec.template.add_encrypted_key(info, xmlsec.constants.TransformRsaOaep)
    xmlsec.template.encrypted_data_ensure_cipher_value(key)
    context = xmlsec.EncryptionContext(manager)
    context.key = xmlsec.Key.generate(xmlsec.constants.KeyDataAes, 128, xmlsec.constants.KeyDataTypeSession)
    sealed = context.encrypt_xml(data, assertion)
    outer = etree.Element(f"{{{NAMES['saml']}}}EncryptedAssertion")
    parent = sealed.getparent()
    assert parent is not None
    parent.replace(sealed, outer)
    outer.append(sealed)
    return response


Bend = Callable[[etree._Element], None]
