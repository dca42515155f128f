"""Forms of the admin's pages about people and members."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm

from portal.accounts.members import lock_members, require_owner
from portal.models import Membership, Role, User


def _clean_email(form: forms.ModelForm) -> str:
    return str(form.cleaned_data["email"]).strip().lower()


class NewUserForm(AdminUserCreationForm):
    """A new account; without a password, the person sets one by mail."""

    class Meta:
        model = User
        fields = ["email"]

    clean_email = _clean_email


class ChangeUserForm(UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"

    clean_email = _clean_email


class MemberForm(forms.ModelForm):
    """A membership; only its role can change afterwards."""

    class Meta:
        model = Membership
        fields = ["domain", "user", "role"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "user" in self.fields:
            self.fields["user"].disabled = True


class MembershipForm(MemberForm):
    """One membership; the last owner of a domain stays an owner."""

    def clean_role(self) -> str:
        role = str(self.cleaned_data["role"])
        if self.instance.pk and self.instance.role == Role.OWNER and role != Role.OWNER:
            lock_members(self.instance.domain)
            require_owner(self.instance.domain, without=[self.instance.pk])
        return role


class MemberFormSet(forms.BaseInlineFormSet):
    """A domain's members; together the changes must leave it an owner."""

    def clean(self) -> None:
        super().clean()
        if not self.instance.pk:
            return
        lock_members(self.instance)
        kept = [form for form in self.forms if form not in self.deleted_forms]
        makes_owner = any(_get_role(form) == Role.OWNER for form in kept if not form.instance.pk)
        promotes = any(
            _get_role(form) == Role.OWNER and form.instance.user.is_active
            for form in kept
            if form.instance.pk
        )
        if not makes_owner and not promotes:
            require_owner(self.instance, without=[form.instance.pk for form in self.initial_forms])


def _get_role(form: Any) -> str:
    return str(getattr(form, "cleaned_data", {}).get("role") or "")
