"""Protocol: builds our SAML request and metadata, and verifies answers. Needs the extra `saml`.

python3-saml refuses document type definitions and entities, a second assertion, a signature that covers
something else, and SHA-1. What it leaves to its caller is asked here: it passes an assertion without an
audience, a recipient or the request it answers, and reads the last of these where nobody signed it.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from allauth.socialaccount import app_settings
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names
from onelogin.saml2.errors import OneLogin_Saml2_Error
from onelogin.saml2.errors import OneLogin_Saml2_ValidationError as ValidationError
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from portal.models import IdentityProvider
from portal.sso.clocks import describe_clock, describe_difference
from portal.sso.exchange import is_storable
from portal.sso.identity import Identity

from .certificates import read_certificates
from .result import Addresses, Answer, NotBelieved

LARGEST_CHARACTERS = 200_000
ASSERTION = "/samlp:Response/saml:Assertion"  # there is one in the whole document, and it is signed
CLOCK = "Start again; if the problem persists, one of the clocks is wrong."
NO_NAME = "It does not name you by a permanent identifier. Set NameID to persistent."
ENCRYPTED = (
    "It is encrypted, which is not supported. Switch the encryption of assertions off; https protects them."
)
ELSEWHERE = "It was issued for another URL."
OTHER_APPLICATION = "It was issued for another application."
OTHER_REQUEST = "It answers a different request."
SHA1 = "It is signed with SHA-1. Set the provider to SHA-256."
WORDS = {  # what it says to the person, and in the log
    ValidationError.NO_SIGNATURE_FOUND: ("It is not signed.", "not signed"),
    ValidationError.NO_SIGNED_ASSERTION: (
        "Its assertion is not signed. Switch that on at the provider.",
        "assertion not signed",
    ),
    ValidationError.INVALID_SIGNATURE: (
        "It is signed with another key than the certificate set up here.",
        "signed with another key",
    ),
    ValidationError.DEPRECATED_SIGNATURE_METHOD: (SHA1, "signed with SHA-1"),
    ValidationError.DEPRECATED_DIGEST_METHOD: (SHA1, "signed with SHA-1"),
    ValidationError.WRONG_AUDIENCE: (OTHER_APPLICATION, "wrong audience"),
    ValidationError.SP_NAME_QUALIFIER_NAME_MISMATCH: (OTHER_APPLICATION, "wrong SPNameQualifier"),
    ValidationError.WRONG_DESTINATION: (ELSEWHERE, "wrong destination"),
    ValidationError.WRONG_ISSUER: (
        "It comes from another provider than the one set up here.",
        "wrong issuer",
    ),
    ValidationError.SESSION_EXPIRED: (
        f"Your session at the provider has ended. {CLOCK}",
        "session there has ended",
    ),
    ValidationError.NO_NAMEID: (NO_NAME, "no NameID"),
    ValidationError.EMPTY_NAMEID: (NO_NAME, "empty NameID"),
    ValidationError.ENCRYPTED_ATTRIBUTES: (ENCRYPTED, "encrypted attributes"),
    ValidationError.WRONG_NUMBER_OF_ASSERTIONS: (
        "It is not valid SAML: there must be one assertion.",
        "not one assertion",
    ),
    ValidationError.WRONG_NUMBER_OF_AUTHSTATEMENTS: (
        "It must have one AuthnStatement, which says when you signed in.",
        "not one AuthnStatement",
    ),
}
# SAML Core, section 3.2.2.2: why a provider let nobody in.
STATUSES = {
    "AuthnFailed", "InvalidNameIDPolicy", "NoAuthnContext", "NoPassive", "PartialLogout", "RequestDenied",
    "RequestUnsupported", "RequestVersionTooHigh", "UnknownPrincipal", "UnsupportedBinding",
}  # fmt: skip


def _make_settings(row: IdentityProvider, ours: Addresses) -> OneLogin_Saml2_Settings:
    certificates = [found.pem for found in read_certificates(row.saml_certificates)]
    return OneLogin_Saml2_Settings(
        {
            "strict": True,
            "debug": False,
            "sp": {
                "entityId": ours.metadata,
                "assertionConsumerService": {"url": ours.acs, "binding": Names.BINDING_HTTP_POST},
            },
            "idp": {
                "entityId": row.saml_entity_id,
                "singleSignOnService": {"url": row.saml_sso_url},
                "x509certMulti": {"signing": certificates, "encryption": []},
            },
            "security": {
                "wantAssertionsSigned": True,
                "wantAttributeStatement": False,  # `_find_email` says which attribute it misses
                "allowRepeatAttributeName": True,  # such as Keycloak's, an element a role
                "metadataValidUntil": "",  # it holds until somebody says otherwise
                "rejectDeprecatedAlgorithm": True,
                "signatureAlgorithm": Names.RSA_SHA256,
                "digestAlgorithm": Names.SHA256,
                "requestedAuthnContext": False,
                "allowSingleLabelDomains": True,
            },
        }
    )


def _make_request(ours: Addresses) -> dict[str, Any]:
    """Return the request for python3-saml, with the configured URL instead of the headers'."""
    parts = urlsplit(ours.acs)
    return {
        "https": "on" if parts.scheme == "https" else "off",
        "http_host": parts.netloc,
        "script_name": "",
        "path_info": parts.path,
        "get_data": {},
        "post_data": {},
    }


def make_metadata(row: IdentityProvider, ours: Addresses) -> bytes:
    made = _make_settings(row, ours).get_sp_metadata()
    return made if isinstance(made, bytes) else made.encode()


def make_request(row: IdentityProvider, ours: Addresses, *, asks_again: bool) -> tuple[str, str]:
    """Return where to send the browser, and the request's ID. asks_again: even somebody signed in there."""
    auth = OneLogin_Saml2_Auth(_make_request(ours), _make_settings(row, ours))
    target: str = auth.login(return_to="", force_authn=asks_again)
    return target, auth.get_last_request_id()


def read_answer(row: IdentityProvider, ours: Addresses, encoded: str) -> Answer:
    """Return what an answer says after every check. encoded: the posted SAMLResponse. Raises NotBelieved."""
    if len(encoded) > LARGEST_CHARACTERS:
        raise NotBelieved("It is too large.", cause="too large")
    try:
        response = OneLogin_Saml2_Response(_make_settings(row, ours), encoded)
        try:
            response.is_valid(_make_request(ours), raise_exceptions=True)
        except ValidationError as error:
            raise _explain(response, ours, error.code) from error
        return _read(row, ours, response)
    except NotBelieved:
        raise
    except OneLogin_Saml2_Error as error:
        if error.code == OneLogin_Saml2_Error.PRIVATE_KEY_NOT_FOUND:
            raise NotBelieved(ENCRYPTED, cause="encrypted assertion") from error
        raise NotBelieved("It could not be read.", cause="could not be read") from error
    except Exception as error:  # whatever else a stranger's bytes make the parsers raise: it was not believed
        raise NotBelieved("It could not be read.", cause="could not be read") from error


def _read(row: IdentityProvider, ours: Addresses, response: OneLogin_Saml2_Response) -> Answer:
    """Return what a response with a valid signature says."""
    request_id = _check_binding(response, ours)
    if _query(response, "/saml:Subject/saml:EncryptedID"):
        raise NotBelieved(ENCRYPTED, cause="encrypted NameID")
    try:
        name, name_format = response.get_nameid(), response.get_nameid_format()
    except ValidationError as error:
        raise _explain(response, ours, error.code) from error
    if name_format == Names.NAMEID_TRANSIENT or not is_storable(name or "", app_settings.UID_MAX_LENGTH):
        raise NotBelieved(NO_NAME, cause="NameID is transient, too long or no text")
    email = _find_email(row, name, response.get_attributes())
    (instant,) = _query(response, "/saml:AuthnStatement/@AuthnInstant")
    identity = Identity(
        uid=name,
        email=email,
        is_verified=True,  # the company signed it for its own mail domain, and `sso.login` takes no other
        authenticated_at=_parse(instant),
    )
    return Answer(identity=identity, request_id=request_id)


# ── why it was not believed ──────────────────────────────────────────────────────────────────────
def _explain(response: OneLogin_Saml2_Response, ours: Addresses, code: int) -> NotBelieved:
    """Return a sentence for python3-saml's error; what is read here is not trusted."""
    if code == ValidationError.STATUS_CODE_IS_NOT_SUCCESS:
        return _explain_status(response)
    if code in (ValidationError.ASSERTION_EXPIRED, ValidationError.ASSERTION_TOO_EARLY):
        return _explain_times(response)
    if code == ValidationError.WRONG_SUBJECTCONFIRMATION:
        try:
            _check_binding(response, ours)
        except NotBelieved as error:
            return error
    message, cause = WORDS.get(code, ("It is not valid SAML.", "not as SAML wants it"))
    return NotBelieved(message, cause=cause)


def _explain_status(response: OneLogin_Saml2_Response) -> NotBelieved:
    values = response.document.xpath("/samlp:Response/samlp:Status//@Value", namespaces=Names.NSMAP)
    named = next((last for value in values if (last := value.rpartition(":")[2]) in STATUSES), "")
    return NotBelieved(
        f"Your company’s sign-in denied access{f' ({named})' if named else ''}.",
        cause=f"status {named or 'not Success'}",
    )


def _explain_times(response: OneLogin_Saml2_Response) -> NotBelieved:
    """Return by how much the assertion's time limits are missed."""
    now = time.time()
    starts = [_parse(value) for value in _query(response, "/saml:Conditions/@NotBefore")]
    ends = [_parse(value) for value in _query(response, "/saml:Conditions/@NotOnOrAfter")]
    if starts and max(starts) > now:
        said = describe_clock(max(starts) - now)
        return NotBelieved(f"It is too old or too new: {said}.", cause=f"clocks apart: {said}")
    return _ended(min(ends, default=now) - now)


def _ended(seconds: float) -> NotBelieved:
    ago = describe_difference(seconds)
    return NotBelieved(
        f"It is too old or too new: it ended {ago} ago. {CLOCK}", cause=f"too old: ended {ago} ago"
    )


# ── what python3-saml leaves open ────────────────────────────────────────────────────────────────
def _query(node: OneLogin_Saml2_Response, path: str) -> list[Any]:
    return list(node.document.xpath(ASSERTION + path, namespaces=Names.NSMAP))


def _parse(instant: str) -> float:
    return float(OneLogin_Saml2_Utils.parse_SAML_to_time(instant))


def _check_binding(response: OneLogin_Saml2_Response, ours: Addresses) -> str:
    """Return the ID of the answered request, from signed parts only. Raises NotBelieved where it is unclear."""
    if response.document.get("Destination") != ours.acs:
        raise NotBelieved(ELSEWHERE, cause="wrong destination")
    _check_audiences(response, ours)
    refusal = NotBelieved(
        "It does not say for which application it was issued.", cause="no bearer SubjectConfirmation"
    )
    is_first = True
    for confirmation in _query(response, "/saml:Subject/saml:SubjectConfirmation"):
        if confirmation.get("Method") != Names.CM_BEARER:  # of several, one must hold (Profiles, 4.1.4.2)
            continue
        try:
            return _check_confirmation(confirmation, response.get_in_response_to(), ours)
        except NotBelieved as error:
            refusal, is_first = (error, False) if is_first else (refusal, False)
    raise refusal


def _check_audiences(response: OneLogin_Saml2_Response, ours: Addresses) -> None:
    """Raise NotBelieved unless every restriction names us, and there is one (SAML Core, 2.5.1.4)."""
    restrictions = _query(response, "/saml:Conditions/saml:AudienceRestriction")
    named = [
        ours.metadata
        in [OneLogin_Saml2_XML.element_text(one) for one in each.findall("saml:Audience", Names.NSMAP)]
        for each in restrictions
    ]
    if not named or not all(named):
        raise NotBelieved(OTHER_APPLICATION, cause="wrong audience")


def _check_confirmation(confirmation: Any, answered: str | None, ours: Addresses) -> str:
    """Return the request that a bearer confirmation answers. answered: the one that the response names."""
    (details,) = confirmation.findall("saml:SubjectConfirmationData", Names.NSMAP) or [None]
    if details is None or details.get("Recipient") != ours.acs:
        raise NotBelieved(ELSEWHERE, cause="wrong recipient")
    if not details.get("NotOnOrAfter"):
        raise NotBelieved("It does not say how long it is valid.", cause="no NotOnOrAfter")
    left = _parse(details.get("NotOnOrAfter")) - time.time()
    if left <= 0:
        raise _ended(left)
    wait = _parse(details.get("NotBefore")) - time.time() if details.get("NotBefore") else 0.0
    if wait > 0:
        raise NotBelieved(
            f"It is too old or too new: {describe_clock(wait)}.",
            cause=f"clocks apart: {describe_clock(wait)}",
        )
    request_id: str = details.get("InResponseTo") or ""
    if not request_id:
        raise NotBelieved(
            "It does not answer a request of this portal. Start at the portal’s sign-in page.",
            cause="answers no request",
        )
    if request_id != answered:
        raise NotBelieved(OTHER_REQUEST, cause="answers another request")
    return request_id


def _find_email(row: IdentityProvider, name: str, attributes: dict[str, list[str | None]]) -> str:
    """Return the one address in the configured attribute; in NameID where none is configured."""
    wanted = row.saml_email_attribute
    if not wanted:
        return name.strip().lower()
    found = {value.strip().lower() for value in attributes.get(wanted, []) if value and value.strip()}
    if len(found) > 1:
        raise NotBelieved(
            f"It must contain one e-mail address, in the attribute {wanted}.", cause="several addresses"
        )
    if not found:
        raise NotBelieved(
            f"It must contain one e-mail address, in the attribute {wanted}.", cause="no address at all"
        )
    return found.pop()
