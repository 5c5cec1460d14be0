"""Settings out of flags, environment and file."""

from pathlib import Path

import pytest

from controlplane.config import Address, Cluster, Settings, read_settings
from controlplane.errors import SettingsError
from controlplane.security import Security
from registry.config import EtcdAccess, EtcdLocation

HOME = {"HOME": "/home/anna"}


def problems(*arguments: str, **environment: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(arguments, {**HOME, **environment})
    return list(caught.value.problems)


def written(directory: Path, text: str) -> str:
    path = directory / "settings.toml"
    path.write_text(text)
    return str(path)


def test_defaults_listen_on_loopback_and_keep_state_at_home() -> None:
    settings = read_settings([], HOME)
    assert settings == Settings(
        store=settings.store,
        policies=None,
        kubernetes=None,
        listen=Address(host="127.0.0.1", port=15010),
        admin=Address(host="127.0.0.1", port=15020),
        http=Address(host="127.0.0.1", port=15014),
        trust_domain="cluster.local",
        otlp_endpoint="",
        security=Security(),
        webhook=None,
        injection=None,
        insecure=False,
    )
    assert str(settings.store) == "sqlite:/home/anna/.local/state/breakwater/registry.db"


def test_the_cluster_to_watch_is_that_of_the_kubeconfig_or_our_own() -> None:
    assert read_settings(["--kubernetes"], HOME).kubernetes == Cluster(kubeconfig="")
    somewhere = read_settings(["--kubernetes"], {**HOME, "KUBECONFIG": "/home/anna/config"})
    assert somewhere.kubernetes == Cluster(kubeconfig="/home/anna/config")
    assert problems("--kubernetes=maybe") == ["--kubernetes: expected true or false, found 'maybe'"]


@pytest.mark.parametrize("name", ["Canary", "a_b", "-a", "a-", "a" * 41])
def test_a_revision_is_part_of_names_of_objects(name: str) -> None:
    found = read_settings(["--kubernetes", "--revision", "canary-2"], HOME).kubernetes
    assert found == Cluster(kubeconfig="", revision="canary-2")
    expected = "--revision: expected at most 40 lower-case letters, digits and inner dashes"
    assert problems(f"--revision={name}") == [f"{expected}, found {name!r}"]


def test_state_directory_of_the_user_is_respected() -> None:
    settings = read_settings([], {**HOME, "XDG_STATE_HOME": "/state"})
    assert str(settings.store) == "sqlite:/state/breakwater/registry.db"


def test_flags_win_over_environment_and_that_over_file(tmp_path: Path) -> None:
    file = written(tmp_path, 'listen = "127.0.0.1:1"\nadmin = "127.0.0.1:1"\nhttp = "127.0.0.1:1"\n')
    environment = {**HOME, "BREAKWATER_ADMIN": "127.0.0.1:2", "BREAKWATER_HTTP": "127.0.0.1:2"}
    settings = read_settings(["--config", file, "--http", "127.0.0.1:3"], environment)
    assert (settings.listen.port, settings.admin.port, settings.http.port) == (1, 2, 3)


def test_file_may_be_named_in_the_environment(tmp_path: Path) -> None:
    file = written(tmp_path, 'trust-domain = "example.org"\n')
    assert read_settings([], {**HOME, "BREAKWATER_CONFIG": file}).trust_domain == "example.org"


def test_the_collector_is_that_of_the_flag_or_of_the_usual_variable() -> None:
    usual = {**HOME, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    assert read_settings([], usual).otlp_endpoint == "http://collector:4318"
    told = read_settings(["--otlp-endpoint", "https://[::1]:4318/tenant"], usual)
    assert told.otlp_endpoint == "https://[::1]:4318/tenant"


@pytest.mark.parametrize(
    "text",
    ["collector:4318", "grpc://collector:4317", "http://:4318", "http://me:pass@collector", "http://x:99999"],
)
def test_a_collector_is_found_by_a_plain_address(text: str) -> None:
    assert problems("--otlp-endpoint", text) == [
        f"--otlp-endpoint: expected http://HOST:PORT or https://HOST:PORT, found {text!r}"
    ]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, 'colour = "red"\n')
    found = problems(
        "--config", file, "--store", "x", "--listen", "here", "--wat", BREAKWATER_ADMIN="0.0.0.0:1"
    )
    assert [text.split(":")[0] for text in found] == [
        "--wat",
        file,
        "--store",
        "--listen",
        "--admin 0.0.0.0",
        "--admin 0.0.0.0",
    ]


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "10.1.2.3:1", "example.org:1"])
def test_plain_text_off_loopback_must_be_asked_for(address: str) -> None:
    assert problems("--admin", address) == [
        f"--admin {address}: plain text off loopback; give --tls-cert or --ca-dir, or say --insecure",
        (
            f"--admin {address}: off loopback people must show a token or a certificate; "
            "give --admin-token-file or --admin-client-ca"
        ),
    ]
    assert str(read_settings(["--admin", address, "--insecure"], HOME).admin) == address


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:5", "localhost:5"])
def test_loopback_needs_no_leave(address: str) -> None:
    assert str(read_settings(["--http", address], HOME).http) == address


@pytest.mark.parametrize("address", ["127.0.0.1", ":80", "127.0.0.1:http", "127.0.0.1:65536", "a:-1"])
def test_address_that_is_none_is_refused(address: str) -> None:
    assert problems(f"--http={address}") == [f"--http: expected HOST:PORT, found {address!r}"]


def test_empty_variable_says_nothing() -> None:
    assert read_settings([], {**HOME, "BREAKWATER_HTTP": ""}).http.port == 15014


def test_mistyped_setting_in_the_file_gets_a_suggestion(tmp_path: Path) -> None:
    file = written(tmp_path, 'lisen = "127.0.0.1:1"\n')
    assert problems("--config", file) == [f"{file}: there is no setting lisen; did you mean listen?"]


def test_unreadable_file_is_a_problem(tmp_path: Path) -> None:
    assert problems("--config", written(tmp_path, "listen ="))[0].startswith("--config")
    assert "No such file" in problems("--config", str(tmp_path / "nope.toml"))[0]


def test_etcd_comes_with_its_certificates_and_user(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("ca", "cert", "key", "password-file")}
    for file in files.values():
        file.touch()
    words = [f"--etcd-{name}={file}" for name, file in files.items()]
    settings = read_settings(["--store", "etcd://a:1,b:2", "--etcd-user", "anna", *words], HOME)
    assert settings.store == EtcdLocation(
        endpoints=("a:1", "b:2"),
        access=EtcdAccess(
            ca=files["ca"],
            certificate=files["cert"],
            key=files["key"],
            user="anna",
            password_file=files["password-file"],
        ),
    )


def test_every_problem_with_etcd_is_told_at_once(tmp_path: Path) -> None:
    words = (f"--etcd-{name}={tmp_path / name}" for name in ("ca", "cert"))
    found = problems("--store", "etcd://localhost:1", "--etcd-user", "anna", *words)
    assert [text.split(":")[0] for text in found] == [
        f"--etcd-ca {tmp_path / 'ca'}",
        f"--etcd-cert {tmp_path / 'cert'}",
        "--etcd-cert",
        "--etcd-user",
    ]


def test_flag_of_etcd_for_another_store_is_a_problem() -> None:
    assert problems("--etcd-user", "anna") == ["--etcd-user: only with --store etcd://HOST:PORT"]


def test_plain_text_to_an_etcd_elsewhere_must_be_asked_for() -> None:
    assert problems("--store", "etcd://localhost:1,10.1.2.3:1") == [
        "--store etcd://localhost:1,10.1.2.3:1: plain text off loopback; give --etcd-ca, or say --insecure"
    ]
    read_settings(["--store", "etcd://10.1.2.3:1", "--insecure"], HOME)


def test_insecure_in_a_file_is_a_boolean(tmp_path: Path) -> None:
    file = written(tmp_path, 'insecure = true\nadmin = "0.0.0.0:1"\n')
    assert read_settings(["--config", file], HOME).admin.host == "0.0.0.0"  # noqa: S104 (nothing listens)
    assert problems(BREAKWATER_INSECURE="maybe") == ["--insecure: expected true or false, found 'maybe'"]


def test_off_loopback_people_must_show_a_token_or_a_certificate(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    words = ("--ca-dir", str(tmp_path), "--admin", "0.0.0.0:1")
    assert problems(*words) == [
        (
            "--admin 0.0.0.0:1: off loopback people must show a token or a certificate; "
            "give --admin-token-file or --admin-client-ca"
        )
    ]
    security = read_settings([*words, "--admin-token-file", str(token)], HOME).security
    assert (security.ca_dir, security.admin_token) == (tmp_path, token)
    assert read_settings([*words, "--admin-client-ca", str(token)], HOME).security.admin_roots == token
    assert problems("--admin-client-ca", str(token)) == [
        "--admin-client-ca: expected TLS, with --tls-cert, --ca-dir or --kubernetes"
    ]


def test_a_certificate_comes_with_its_key_and_without_an_authority(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.pem")
    assert problems("--tls-cert", absent, "--ca-dir", str(tmp_path), "--tls-names", "a") == [
        f"--tls-cert {absent}: No such file or directory",
        "--tls-cert: expected --tls-key with it",
        "--ca-dir: a certificate is given already, with --tls-cert",
        "--tls-names: expected an authority of our own, with --ca-dir or --kubernetes",
    ]
    assert problems("--tls-ca", str(tmp_path)) == [
        f"--tls-ca {tmp_path}: Is a directory",
        "--tls-ca: expected --tls-cert with it, which it is to have signed",
    ]
    assert problems("--tls-names", "a") == [
        "--tls-names: expected an authority of our own, with --ca-dir or --kubernetes"
    ]


def test_webhooks_are_for_a_cluster_that_is_believed() -> None:
    impossible = "--webhook: expected --kubernetes with it, and no --insecure: the API server calls over TLS"
    assert problems("--webhook", "127.0.0.1:15017") == [impossible]
    assert problems("--webhook", "127.0.0.1:1", "--kubernetes", "--insecure") == [impossible]
    assert problems("--sidecar-image", "ours:1") == ["--sidecar-image: expected --webhook with it"]
    settings = read_settings(
        ["--webhook", "0.0.0.0:15017", "--kubernetes", "--sidecar-image", "ours:1"], HOME
    )
    assert settings.injection is not None
    assert (str(settings.webhook), settings.injection.sidecar_image) == ("0.0.0.0:15017", "ours:1")
