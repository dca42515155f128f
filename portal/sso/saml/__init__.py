"""SAML 2.0, where the extra `saml` is installed; whom it signs in is decided in `portal.sso.login`."""
