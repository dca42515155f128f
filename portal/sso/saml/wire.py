"""SAML on the wire: our request, our metadata, and whether an answer is believed. Needs the extra `saml`.

python3-saml refuses document type definitions and entities, a second assertion, a signature that covers
something else, and SHA-1. What it leaves to its caller is asked here: it passes an assertion without an
audience, a recipient or the request it answers, and reads the last of these where nobody signed it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from allauth.socialaccount import app_settings
from allauth.socialaccount.models import SocialApp
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names
from onelogin.saml2.errors import OneLogin_Saml2_ValidationError as ValidationError
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.utils import OneLogin_Saml2_Utils

from .answer import Addresses, Answer, NotBelieved

LARGEST_CHARACTERS = 200_000
ASSERTION = "/samlp:Response/saml:Assertion"  # there is one in the whole document, and it is signed
TIMES = "It is too old or too new. Begin again; if it stays so, the clock there or here is wrong."
WORDS = {
    ValidationError.NO_SIGNATURE_FOUND: "It is not signed.",
    ValidationError.NO_SIGNED_ASSERTION: "Its assertion is not signed. Switch that on at the provider.",
    ValidationError.INVALID_SIGNATURE: "It is signed with another key than the certificate set up here.",
    ValidationError.DEPRECATED_SIGNATURE_METHOD: "It is signed with SHA-1. Set the provider to SHA-256.",
    ValidationError.DEPRECATED_DIGEST_METHOD: "It is signed with SHA-1. Set the provider to SHA-256.",
    ValidationError.WRONG_AUDIENCE: "It was made for another application.",
    ValidationError.WRONG_DESTINATION: "It was made for another address.",
    ValidationError.WRONG_ISSUER: "It comes from another provider than the one set up here.",
    ValidationError.STATUS_CODE_IS_NOT_SUCCESS: "Your company’s sign-in did not let you in.",
    ValidationError.ASSERTION_EXPIRED: TIMES,
    ValidationError.ASSERTION_TOO_EARLY: TIMES,
    ValidationError.SESSION_EXPIRED: TIMES,
    ValidationError.WRONG_SUBJECTCONFIRMATION: f"It answers another request, or: {TIMES}",
}


def _make_settings(app: SocialApp, ours: Addresses) -> OneLogin_Saml2_Settings:
    return OneLogin_Saml2_Settings(
        {
            "strict": True,
            "debug": False,
            "sp": {
                "entityId": ours.metadata,
                "assertionConsumerService": {"url": ours.acs, "binding": Names.BINDING_HTTP_POST},
            },
            "idp": {
                "entityId": app.settings["entity_id"],
                "singleSignOnService": {"url": app.settings["sso_url"]},
                "x509certMulti": {"signing": list(app.settings["certificates"]), "encryption": []},
            },
            "security": {
                "wantAssertionsSigned": True,
                "wantAttributeStatement": bool(app.settings["email_attribute"]),
                "rejectDeprecatedAlgorithm": True,
                "signatureAlgorithm": Names.RSA_SHA256,
                "digestAlgorithm": Names.SHA256,
                "requestedAuthnContext": False,
                "allowSingleLabelDomains": True,
            },
        }
    )


def _make_request(ours: Addresses) -> dict[str, Any]:
    """Return the request as python3-saml wants it: at the configured address, whatever the headers say."""
    parts = urlsplit(ours.acs)
    return {
        "https": "on" if parts.scheme == "https" else "off",
        "http_host": parts.netloc,
        "script_name": "",
        "path_info": parts.path,
        "get_data": {},
        "post_data": {},
    }


def make_metadata(app: SocialApp, ours: Addresses) -> bytes:
    made = _make_settings(app, ours).get_sp_metadata()
    return made if isinstance(made, bytes) else made.encode()


def make_request(app: SocialApp, ours: Addresses, *, asks_again: bool) -> tuple[str, str]:
    """Return where to send the browser, and the request's ID. asks_again: even somebody signed in there."""
    auth = OneLogin_Saml2_Auth(_make_request(ours), _make_settings(app, ours))
    target: str = auth.login(return_to="", force_authn=asks_again)
    return target, auth.get_last_request_id()


def read_answer(app: SocialApp, ours: Addresses, encoded: str) -> Answer:
    """Return what an answer says, once every check held. encoded: the posted SAMLResponse. Raises NotBelieved."""
    if len(encoded) > LARGEST_CHARACTERS:
        raise NotBelieved("It is too large.")
    try:
        response = OneLogin_Saml2_Response(_make_settings(app, ours), encoded)
        response.is_valid(_make_request(ours), raise_exceptions=True)
        request_id = _check_binding(response, ours)
        authenticated_at = _find_authentication(response)
        name, name_format = response.get_nameid(), response.get_nameid_format()
        attributes: dict[str, list[str | None]] = response.get_attributes()
    except NotBelieved:
        raise
    except ValidationError as error:
        raise NotBelieved(WORDS.get(error.code, "It is not as SAML wants it.")) from error
    except Exception as error:  # whatever else a stranger's bytes make the parsers raise: it was not believed
        raise NotBelieved("It could not be read.") from error
    if not name or name_format == Names.NAMEID_TRANSIENT or len(name) > app_settings.UID_MAX_LENGTH:
        raise NotBelieved("It does not name you by an identifier that lasts. Set NameID to persistent.")
    return Answer(
        uid=name,
        email=_find_email(app, name, attributes),
        request_id=request_id,
        authenticated_at=authenticated_at,
    )


def _query(response: OneLogin_Saml2_Response, path: str) -> list[Any]:
    return list(response.document.xpath(ASSERTION + path, namespaces=Names.NSMAP))


def _find_authentication(response: OneLogin_Saml2_Response) -> float:
    """Return when the person proved who they are; the schema wants it, and the one statement is signed."""
    (instant,) = _query(response, "/saml:AuthnStatement/@AuthnInstant")
    return float(OneLogin_Saml2_Utils.parse_SAML_to_time(instant))


def _check_binding(response: OneLogin_Saml2_Response, ours: Addresses) -> str:
    """Return the request that is answered, by what is signed. Raises NotBelieved where anything is left open."""
    if response.document.get("Destination") != ours.acs:
        raise NotBelieved(WORDS[ValidationError.WRONG_DESTINATION])
    if ours.metadata not in response.get_audiences():
        raise NotBelieved(WORDS[ValidationError.WRONG_AUDIENCE])
    confirmations = _query(response, "/saml:Subject/saml:SubjectConfirmation")
    details = _query(response, "/saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData")
    if len(confirmations) != 1 or len(details) != 1:
        raise NotBelieved("It must say once for whom it was made.")
    if details[0].get("Recipient") != ours.acs:
        raise NotBelieved(WORDS[ValidationError.WRONG_DESTINATION])
    if not details[0].get("NotOnOrAfter"):
        raise NotBelieved("It does not say until when it is good.")
    request_id: str = details[0].get("InResponseTo") or ""
    if not request_id or request_id != response.get_in_response_to():
        raise NotBelieved("It answers no request of ours. Begin at the portal’s own sign-in page.")
    return request_id


def _find_email(app: SocialApp, name: str, attributes: dict[str, list[str | None]]) -> str:
    wanted = app.settings["email_attribute"]
    if not wanted:
        return name.strip().lower()
    values = [value for value in attributes.get(wanted, []) if value]
    if len(values) != 1:
        raise NotBelieved(f"It must carry one e-mail address, in the attribute {wanted}.")
    return values[0].strip().lower()
