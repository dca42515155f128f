"""Forms of single sign-on: the address that starts it, and a domain's OpenID Connect or SAML provider."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.models import SocialAccount
from django import forms
from django.utils import timezone

from integrations.crypto.sealing import seal
from portal.models import IdentityProvider, Membership, Protocol, Role

from .discovery import read_configuration
from .saml.certificates import read_certificates
from .transport import ProviderUnreachable, is_acceptable


class SsoStartForm(forms.Form):
    """An e-mail address, whose domain's single sign-on is started."""

    email = forms.EmailField(
        label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )


class _SingleSignOnForm(forms.ModelForm):
    """Fields of both protocols: the default role for new users, and whether SSO is enforced."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        role = self.fields["default_role"]
        role.choices = [("", "None: members are invited"), *list(role.choices)[1:]]  # type: ignore[attr-defined]

    def clean_is_required(self) -> bool:
        required = bool(self.cleaned_data["is_required"])
        owners = Membership.objects.filter(domain=self.instance.domain, role=Role.OWNER).values("user")
        used = SocialAccount.objects.filter(provider=self.instance.domain.name, user__in=owners)
        if required and not used.exists():
            raise forms.ValidationError(
                "Let an owner sign in this way once first; otherwise everybody is locked out if it fails."
            )
        return required


class IdentityProviderForm(_SingleSignOnForm):
    """A domain's OpenID Connect provider. The secret is never shown again."""

    issuer = forms.URLField(
        max_length=500,
        assume_scheme="https",
        help_text="Exactly as it is published, such as https://login.acme.com/realms/acme.",
    )
    client_secret = forms.CharField(
        label="Client secret",
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Leave empty to keep the current one.",
    )

    class Meta:
        model = IdentityProvider
        fields = [
            "issuer", "client_id", "client_secret", "vouches_for_addresses", "default_role", "is_required",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:  # then there is no present secret to keep
            self.fields["client_secret"].required, self.fields["client_secret"].help_text = True, ""

    def clean_issuer(self) -> str:
        issuer = str(self.cleaned_data["issuer"])
        if not is_acceptable(issuer) or "?" in issuer:
            raise forms.ValidationError(
                "Enter a URL that starts with https://, exactly as the provider publishes its issuer."
            )
        try:
            read_configuration(issuer)
        except ProviderUnreachable as error:
            raise forms.ValidationError(str(error)) from error
        return issuer

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.instance.pk and "issuer" in self.changed_data and not cleaned.get("client_secret"):
            self.add_error("client_secret", "Enter the secret: it belongs to one issuer.")
        return cleaned

    def save(self, commit: bool = True) -> IdentityProvider:
        found: IdentityProvider = super().save(commit=False)
        if self.cleaned_data["client_secret"]:
            found.client_secret_sealed = seal(self.cleaned_data["client_secret"], bound_to=found.bound_to)
        found.save()
        return found


class SamlProviderForm(_SingleSignOnForm):
    """A domain's SAML provider. It holds no secret: certificates are public."""

    saml_entity_id = forms.CharField(
        label="Entity ID of the provider",
        max_length=500,
        help_text="Exactly as its metadata says, such as https://login.acme.com/saml.",
    )
    saml_sso_url = forms.URLField(
        label="SSO URL",
        max_length=500,
        assume_scheme="https",
        help_text="Its single sign-on service with HTTP-Redirect.",
    )
    saml_certificates = forms.CharField(
        label="Signing certificate",
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="In PEM. Before the provider changes its key, paste the next one below the current one.",
    )
    saml_email_attribute = forms.CharField(
        label="Attribute with the e-mail address",
        max_length=255,
        required=False,
        help_text="The attribute’s full name. Leave empty if NameID is the address.",
    )

    class Meta:
        model = IdentityProvider
        fields = [
            "saml_entity_id", "saml_sso_url", "saml_certificates", "saml_email_attribute",
            "default_role", "is_required",
        ]  # fmt: skip

    def clean_saml_sso_url(self) -> str:
        address = str(self.cleaned_data["saml_sso_url"])
        if not is_acceptable(address) or not address.isascii():
            raise forms.ValidationError(
                "Enter a URL that starts with https://, in ASCII, without a user name or password."
            )
        return address

    def clean_saml_certificates(self) -> str:
        text = str(self.cleaned_data["saml_certificates"])
        if "PRIVATE KEY" in text:  # the page does not say it back
            self.data = {**self.data.dict(), "saml_certificates": ""}  # type: ignore[attr-defined]  # a QueryDict
        try:
            found = read_certificates(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        expired = [certificate for certificate in found if certificate.expires_at <= timezone.now()]
        if expired:
            raise forms.ValidationError(
                f"The certificate “{expired[0].name}” expired on {expired[0].expires_at:%-d %B %Y}."
            )
        return "".join(certificate.pem for certificate in found).strip()

    def save(self, commit: bool = True) -> IdentityProvider:
        self.instance.protocol = Protocol.SAML
        found: IdentityProvider = super().save(commit=commit)
        return found
