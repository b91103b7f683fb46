"""The key of the language model: from the environment, or from the operating system's key store. Never in a file of ours, a log or a message."""

from __future__ import annotations

import os

from retake.domain.errors import ErrorKind, RetakeError

VARIABLES = ("RETAKE_MODEL_KEY", "OPENAI_API_KEY")
_SERVICE, _ACCOUNT = "retake", "language-model"
NEEDS_NONE = "none"  # what is sent to a server on this machine that wants no key


def find_key(base_url: str) -> str:
    """The key to use. A server with an address of its own needs none; RetakeError (no_model_key) tells how to set one up."""
    for name in VARIABLES if not base_url else VARIABLES[:1]:  # the key of OpenAI goes to OpenAI only
        if os.environ.get(name, "").strip():
            return os.environ[name].strip()
    stored = _stored()
    if stored:
        return stored
    if base_url:
        return NEEDS_NONE
    raise RetakeError(
        "No language model is set up.",
        "Set a key with 'retake model set-key' or OPENAI_API_KEY, or language_model.base_url in settings.json to a server of yours. "
        "Everything else works without one.",
        kind=ErrorKind.ENVIRONMENT,
        code="no_model_key",
    )


def where_from(base_url: str) -> str:
    """Where the key comes from, in words; never the key."""
    for name in VARIABLES if not base_url else VARIABLES[:1]:
        if os.environ.get(name, "").strip():
            return f"the variable {name}"
    return "this account's key store" if _stored() else "no key"


def store_key(key: str) -> None:
    """Keep a key in the operating system's key store; raises RetakeError where there is none."""
    import keyring
    from keyring.errors import KeyringError

    text = key.strip()
    if not text or not text.isascii() or not text.isprintable() or len(text) > 1000:
        raise RetakeError("This is no key.", "Paste it as the provider shows it.", code="bad_model_key")
    try:
        keyring.set_password(_SERVICE, _ACCOUNT, text)
    except KeyringError as error:
        raise RetakeError(
            "This machine has no key store to keep the key in.", f"Set {VARIABLES[0]} or {VARIABLES[1]} in the environment instead.",
            kind=ErrorKind.ENVIRONMENT, code="no_key_store",
        ) from error  # fmt: skip


def forget_key() -> bool:
    """Remove the stored key; False where there was none."""
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.delete_password(_SERVICE, _ACCOUNT)
    except KeyringError:
        return False
    return True


def _stored() -> str:
    import keyring
    from keyring.errors import KeyringError

    try:
        return (keyring.get_password(_SERVICE, _ACCOUNT) or "").strip()
    except KeyringError:  # no store, or it is locked
        return ""
