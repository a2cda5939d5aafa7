"""The tag files of an evidence package (RFC 8493), and the check of a whole bag."""

from collections.abc import Mapping

from tanzheng.core.errors import BadInput
from tanzheng.core.hashing import HashFunction, sha256, sm3
from tanzheng.core.manifest import MANIFEST_PATH, TAG_PATHS, Manifest, PackageFile, PackageInvalid

BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def bag_files(payload: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return `payload` (paths `data/…`, `data/manifest.json` among them) with its tag files.

    The tag files follow from the payload alone. `PackageInvalid` where the payload is not what its
    own manifest names.
    """
    _check_payload(payload)
    files = {path: payload[path] for path in sorted(payload)}
    files["bagit.txt"] = BAGIT
    files["bag-info.txt"] = _bag_info(payload)
    files["manifest-sha256.txt"] = _lines(payload, sha256)
    files["manifest-sm3.txt"] = _lines(payload, sm3)
    tags = {path: files[path] for path in TAG_PATHS[:-1]}
    files[TAG_PATHS[-1]] = _lines(tags, sha256)
    return files


def check_bag(files: Mapping[str, bytes]) -> Manifest:
    """Check every byte of a bag and return its manifest.

    `PackageInvalid` names the first file that is missing, changed or not named by the manifest.
    """
    payload = {path: data for path, data in files.items() if path not in TAG_PATHS}
    manifest = _check_payload(payload)
    expected = bag_files(payload)
    for path in TAG_PATHS:
        if path not in files:
            raise PackageInvalid(f"package: expected the tag file {path}, got none")
        if files[path] != expected[path]:
            raise PackageInvalid(
                f"package: expected the {path} that follows from the payload, got another one"
            )
    return manifest


def _check_payload(payload: Mapping[str, bytes]) -> Manifest:
    if MANIFEST_PATH not in payload:
        raise PackageInvalid(f"package: expected {MANIFEST_PATH}, got none")
    try:
        manifest = Manifest.decode(payload[MANIFEST_PATH])
    except BadInput as error:
        raise PackageInvalid(f"package: {MANIFEST_PATH}: {error}") from error
    for named in manifest.files:
        if named.path not in payload:
            raise PackageInvalid(f"package: expected {named.path}, got no such file")
        if PackageFile.of(named.path, payload[named.path]) != named:
            raise PackageInvalid(
                f"package: expected {named.path} with sha-256 {named.sha256.hex()[:16]}…, "
                f"got changed bytes"
            )
    extra = sorted(payload.keys() - {file.path for file in manifest.files} - {MANIFEST_PATH})
    if extra:
        raise PackageInvalid(f"package: expected no file but those named, got {extra[0]}")
    return manifest


def _bag_info(payload: Mapping[str, bytes]) -> bytes:
    manifest = Manifest.decode(payload[MANIFEST_PATH])
    octets = sum(len(data) for data in payload.values())
    return (
        f"External-Identifier: {manifest.subject}\n"
        f"Payload-Oxum: {octets}.{len(payload)}\n"
        f"Bag-Software-Agent: {manifest.software}\n"
    ).encode()


def _lines(files: Mapping[str, bytes], digest: HashFunction) -> bytes:
    return "".join(f"{digest(files[path]).hex()}  {path}\n" for path in sorted(files)).encode()
