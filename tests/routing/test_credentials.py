from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from routing import credentials
from routing.credentials import CredentialError
from routing.models import ApiKey, Provider
from tests.factories import make_secret, make_user


def make_provider(slug: str = "openai", **fields: Any) -> Provider:
    defaults = {"name": slug.title(), "base_url": f"https://{slug}.example.com/v1"}
    return Provider.objects.create(slug=slug, **defaults | fields)


def key_of(byte: int) -> bytes:
    return bytes([byte]) * 32


def try_to_create(user: Any) -> bool:
    try:
        credentials.create_key(user, "new")
    except credentials.TooManyKeysError:
        return False
    finally:
        connection.close()
    return True


def test_a_new_key_is_shown_once_and_stored_as_a_digest(db: None) -> None:
    key, secret = make_secret()

    stored = ApiKey.objects.values().get(pk=key.pk)
    assert secret.startswith("sk-ar-v1-")
    assert stored["digest"] == credentials.digest(secret)
    assert secret not in repr(stored)
    assert (key.label[:12], key.label[-4:]) == (secret[:12], secret[-4:])
    assert credentials.is_well_formed(secret)


def test_no_two_keys_are_alike(db: None) -> None:
    secrets = {make_secret(name=str(number))[1] for number in range(5)}

    assert len(secrets) == 5


def test_forms_sent_at_once_do_not_pass_the_cap(transactional_db: None) -> None:
    user = make_user()
    ApiKey.objects.bulk_create(
        ApiKey(user=user, name="old", digest=str(n)) for n in range(credentials.MAX_KEYS - 1)
    )

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(try_to_create, [user] * 4))

    assert sorted(made) == [False, False, False, True]
    assert ApiKey.objects.count() == credentials.MAX_KEYS


@pytest.mark.parametrize(
    "secret",
    ["", "sk-ar-v1-", "x" * 70, "sk-ar-v1-" + "0" * 61, "sk-or-v1-" + "a" * 61, "é" * 70],
)
def test_what_is_not_a_key_is_seen_without_a_query(secret: str) -> None:
    assert not credentials.is_well_formed(secret)


@pytest.mark.parametrize("place", [0, 9, 30, 60, -1])
def test_one_changed_character_is_seen_without_a_query(db: None, place: int) -> None:
    _, secret = make_secret()
    letters = list(secret)
    letters[place] = "0" if letters[place] != "0" else "1"

    assert not credentials.is_well_formed("".join(letters))


def test_a_digest_needs_the_pepper(settings: Any) -> None:
    before = credentials.digest("sk-ar-v1-abc")
    settings.AUTOROUTER_KEY_PEPPER = "another"

    assert credentials.digest("sk-ar-v1-abc") != before


def test_a_credential_is_sealed_and_read_again(db: None) -> None:
    provider = make_provider()

    credentials.save_credential(provider, "sk-secret-1234")

    provider.refresh_from_db()
    assert credentials.read_credential(provider) == "sk-secret-1234"
    assert provider.credential_hint == "1234"
    with connection.cursor() as cursor:
        cursor.execute("SELECT routing_provider::text FROM routing_provider")
        assert "secret" not in cursor.fetchone()[0]


def test_the_same_credential_is_sealed_differently_each_time(db: None) -> None:
    provider = make_provider()
    credentials.save_credential(provider, "sk-secret")
    before = bytes(provider.credential)

    credentials.save_credential(provider, "sk-secret")

    assert bytes(provider.credential) != before


def test_a_credential_cannot_be_moved_to_another_provider(db: None) -> None:
    one, two = make_provider("one"), make_provider("two")
    credentials.save_credential(one, "sk-secret")
    two.credential = one.credential

    with pytest.raises(CredentialError, match="Two cannot be decrypted"):
        credentials.read_credential(two)


def test_a_changed_byte_is_noticed(db: None) -> None:
    provider = make_provider()
    credentials.save_credential(provider, "sk-secret")
    sealed = bytearray(provider.credential)
    sealed[-1] ^= 1
    provider.credential = bytes(sealed)

    with pytest.raises(CredentialError):
        credentials.read_credential(provider)


def test_an_older_key_of_the_ring_still_reads(db: None, settings: Any) -> None:
    settings.AUTOROUTER_CREDENTIAL_KEYS = {1: key_of(1)}
    provider = make_provider()
    credentials.save_credential(provider, "sk-secret")

    settings.AUTOROUTER_CREDENTIAL_KEYS = {2: key_of(2), 1: key_of(1)}

    assert credentials.read_credential(provider) == "sk-secret"


def test_the_newest_key_of_the_ring_writes(db: None, settings: Any) -> None:
    settings.AUTOROUTER_CREDENTIAL_KEYS = {2: key_of(2), 1: key_of(1)}
    provider = make_provider()
    credentials.save_credential(provider, "sk-secret")

    settings.AUTOROUTER_CREDENTIAL_KEYS = {1: key_of(1)}

    with pytest.raises(CredentialError, match="key version 2"):
        credentials.read_credential(provider)


def test_without_a_saved_credential_the_environment_counts(db: None, settings: Any) -> None:
    settings.AUTOROUTER_PROVIDER_KEYS = {"OPENAI_API_KEY": "sk-from-environment"}
    provider = make_provider(environment_variable="OPENAI_API_KEY")

    assert credentials.read_credential(provider) == "sk-from-environment"


def test_a_saved_credential_beats_the_environment(db: None, settings: Any) -> None:
    settings.AUTOROUTER_PROVIDER_KEYS = {"OPENAI_API_KEY": "sk-from-environment"}
    provider = make_provider(environment_variable="OPENAI_API_KEY")

    credentials.save_credential(provider, "sk-saved")

    assert credentials.read_credential(provider) == "sk-saved"


def test_a_provider_without_any_has_none(db: None) -> None:
    assert credentials.read_credential(make_provider()) == ""
