"""Single sign-on by SAML 2.0, where the extra `saml` is installed; whom it lets in stands in `portal.sso.login`."""
