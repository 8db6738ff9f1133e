"""A root in AWS KMS: Encrypt, Decrypt and ReEncrypt under one symmetric key, by way of botocore.

The place of a key is the encryption context, which KMS binds as additional data and writes to CloudTrail: it holds the
names of log and key, never more. Credentials come from where botocore looks for them (environment, profile, role of
the machine), and never from the configuration.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

from attending.ledger.errors import KeysNotOpen, KeyStoreRefused, KeyStoreUnavailable
from attending.ledger.wrapping import MAX_WRAPPED_BYTES, Place
from attending.server.errors import ConfigurationError

# AWS KMS API reference, "Errors" of Decrypt, Encrypt and ReEncrypt, and "Common Errors".
_NOT_OPEN: Final = frozenset(("InvalidCiphertextException", "IncorrectKeyException"))
_LATER: Final = frozenset(
    (
        *("KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException"),
        *("ThrottlingException", "Throttling", "LimitExceededException", "RequestLimitExceeded"),
        *("InternalFailure", "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout"),
    )
)


class AwsKmsWrapper:
    """The root of one KMS key; implements KeyWrapper."""

    kind: Final = "aws_kms"

    def __init__(
        self, key_id: str, region: str, *, endpoint_url: str | None = None, timeout_seconds: float = 5.0
    ) -> None:
        """`key_id` is an id, ARN or alias; `endpoint_url` replaces that of the region. Raises ConfigurationError."""
        try:
            session = importlib.import_module("botocore.session")
            settings = importlib.import_module("botocore.config")
            self._errors = importlib.import_module("botocore.exceptions")
        except ModuleNotFoundError as err:
            raise ConfigurationError(
                "kind `aws_kms` needs the package `botocore`", "pip install 'attending[aws]'"
            ) from err
        self._key_id = key_id
        try:
            self._client = session.Session().create_client(
                "kms",
                region_name=region,
                endpoint_url=endpoint_url,
                config=settings.Config(
                    connect_timeout=timeout_seconds,
                    read_timeout=timeout_seconds,
                    retries={"total_max_attempts": 1},
                    # No proxy of the environment.
                    proxies={},
                ),
            )
        except (self._errors.BotoCoreError, ValueError) as err:
            raise ConfigurationError(
                f"the client of AWS KMS cannot be made ({type(err).__name__})",
                "correct `aws_region` and `aws_endpoint_url`",
            ) from None

    def __repr__(self) -> str:
        return "AwsKmsWrapper()"

    def wrap(self, secret: bytes, place: Place) -> bytes:
        """See KeyWrapper."""
        answer = self._call(
            "encrypt", KeyId=self._key_id, Plaintext=secret, EncryptionContext=_context(place)
        )
        return _blob(answer, "CiphertextBlob")

    def unwrap(self, wrapped: bytes, place: Place) -> bytes:
        """See KeyWrapper."""
        answer = self._call(
            "decrypt", KeyId=self._key_id, CiphertextBlob=wrapped, EncryptionContext=_context(place)
        )
        return _blob(answer, "Plaintext")

    def rewrap(self, wrapped: bytes, place: Place) -> bytes:
        """See KeyWrapper; always new bytes, since KMS does not tell which version a key is under."""
        answer = self._call(
            "re_encrypt",
            CiphertextBlob=wrapped,
            SourceKeyId=self._key_id,
            SourceEncryptionContext=_context(place),
            DestinationKeyId=self._key_id,
            DestinationEncryptionContext=_context(place),
        )
        return _blob(answer, "CiphertextBlob")

    def version(self, wrapped: bytes) -> str:
        """See KeyWrapper; empty."""
        return ""

    def _call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = getattr(self._client, operation)(**arguments)
        except self._errors.ClientError as err:
            raise _refusal(err.response) from None
        except (
            self._errors.NoCredentialsError,
            self._errors.PartialCredentialsError,
            self._errors.CredentialRetrievalError,
        ) as err:
            raise KeyStoreRefused(f"AWS KMS: no credentials were found ({type(err).__name__})") from None
        except self._errors.ParamValidationError:
            # Only the ciphertext comes from a file: empty, or longer than KMS takes.
            raise _not_open() from None
        except Exception as err:
            # botocore lets errors of parsers through; whatever a server that lies provokes, nothing was opened.
            raise KeyStoreUnavailable(f"AWS KMS does not answer usefully ({type(err).__name__})") from None
        return answer


def _refusal(response: Mapping[str, Any]) -> Exception:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _NOT_OPEN:
        return _not_open()
    if code in _LATER or not 400 <= status < 500 or status == 429:
        return KeyStoreUnavailable(f"AWS KMS answers {status}")
    return KeyStoreRefused(f"AWS KMS answers {status} ({code if code.isalnum() else 'no known error'})")


def _blob(answer: Mapping[str, Any], name: str) -> bytes:
    found = answer.get(name)
    if not isinstance(found, bytes) or not 0 < len(found) <= MAX_WRAPPED_BYTES:
        raise KeyStoreUnavailable("AWS KMS gives an answer that is not one of its API")
    return found


def _not_open() -> KeysNotOpen:
    return KeysNotOpen("wrapped key does not open under this KMS key", reason=KeysNotOpen.ALTERED)


def _context(place: Place) -> dict[str, str]:
    return {f"attending:{name}": value for name, value in place.items()}
