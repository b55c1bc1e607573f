"""What a server takes from an owner: the package that is due, whole, from that owner, for this run and this server."""

import shutil

import msgspec
import pytest

from accord.base.errors import Refused
from accord.data.share_out import _seal, deal_columns
from accord.node import owner
from accord.node.envelope import Envelope, close
from accord.node.folder import open_folder
from accord.node.job import Job
from accord.node.server import serve
from accord.node.session import open_study
from tests.node.conftest import OWNERS

RUN, SERVER = "run-1", "helper"
AGAIN = "let the owner send it again"


@pytest.fixture(scope="module")
def shared_once(original, tmp_path_factory):
    """A study whose owners have handed everything in for a run."""
    folder = shutil.copytree(original, tmp_path_factory.mktemp("shared") / "wages")
    session = open_study(folder)
    for name in OWNERS:
        prepared = owner.prepare(session.compiled, session.folder.consortium(), session.folder.party(name), RUN, lambda _: None)
        owner.write_envelopes(prepared, lambda server: folder / "inbox" / server)
    return folder


@pytest.fixture
def shared(shared_once, tmp_path):
    return shutil.copytree(shared_once, tmp_path / "wages")


def first_input(folder):
    """The name and the path of the helper's first package, one of north's."""
    one = open_study(folder).compiled.inputs[0]
    assert one.owner == "north"
    return one.name, folder / "inbox" / SERVER / f"{one.name}.input"


def refusal(folder, run=RUN):
    """Why the helper does not begin. It has not yet met anybody, nor spent an attempt."""
    job = Job(str(folder), SERVER, run, ("127.0.0.1:1",) * 3, str(folder / "inbox" / SERVER), str(folder / "outbox"))
    with pytest.raises(Refused) as told:
        serve(job)
    assert not (folder / "outbox").exists()
    assert not (folder / "parties" / SERVER / "attempts.log").exists()
    return str(told.value)


def altered(path, **changes):
    """The envelope with some fields changed, the signature as it was."""
    fields = msgspec.msgpack.decode(path.read_bytes())
    path.write_bytes(msgspec.msgpack.encode({**fields, **changes}))
    return fields


@pytest.mark.parametrize("field", ["sealed", "commitment", "signature"])
def test_one_bit_more_is_seen(shared, field):
    name, path = first_input(shared)
    body = bytearray(msgspec.msgpack.decode(path.read_bytes())[field])
    body[len(body) // 2] ^= 1
    altered(path, **{field: bytes(body)})
    assert refusal(shared) == f"input {name} of north: this input package is not signed by north; {AGAIN}"


@pytest.mark.parametrize("damage", [lambda body: body[:-1], lambda body: b"", lambda body: b"\xc1" + body, lambda body: b"hello"])
def test_what_cannot_be_read_is_damaged(shared, damage):
    name, path = first_input(shared)
    path.write_bytes(damage(path.read_bytes()))
    assert refusal(shared) == f"input {name} of north: this input package is damaged; {AGAIN}"


def test_a_package_of_another_run_is_refused(shared):
    name, _ = first_input(shared)
    other = f"input {name} of north: this input package is for another run, input or server; {AGAIN}"
    assert refusal(shared, run="run-2") == other


def test_a_package_that_was_renamed_for_another_run_is_not_signed(shared):
    name, path = first_input(shared)
    altered(path, run="run-2")
    assert refusal(shared, run="run-2") == f"input {name} of north: this input package is not signed by north; {AGAIN}"


def test_another_servers_package_is_refused(shared):
    name, path = first_input(shared)
    shutil.copy(shared / "inbox" / "south" / path.name, path)
    assert refusal(shared) == f"input {name} of north: this input package is for another run, input or server; {AGAIN}"


def test_another_input_of_the_same_owner_is_refused(shared):
    name, path = first_input(shared)
    other = next(one for one in open_study(shared).compiled.inputs_of("north") if one.name != name)
    shutil.copy(path.with_name(f"{other.name}.input"), path)
    assert refusal(shared) == f"input {name} of north: this input package is for another run, input or server; {AGAIN}"


def test_an_owner_cannot_speak_for_another(shared):
    name, path = first_input(shared)
    fields = msgspec.msgpack.decode(path.read_bytes())
    south = open_folder(shared).party("south").keys()
    message = Envelope.message("north", name, RUN, SERVER, fields["commitment"], fields["sealed"])
    altered(path, signature=south.sign(message))
    assert refusal(shared) == f"input {name} of north: this input package is not signed by north; {AGAIN}"
    path.write_bytes(close(south, name, RUN, SERVER, fields["commitment"], fields["sealed"]))
    assert refusal(shared) == f"input {name} of north: this input package is for another run, input or server; {AGAIN}"


def test_a_package_sealed_to_another_server_does_not_open(shared):
    """Signed by its owner all the same."""
    name, path = first_input(shared)
    place = open_folder(shared)
    other = msgspec.msgpack.decode((shared / "inbox" / "south" / path.name).read_bytes())
    path.write_bytes(close(place.party("north").keys(), name, RUN, SERVER, other["commitment"], other["sealed"]))
    assert "this input package does not open here: it is for another server or run, or was altered" in refusal(shared)


def test_a_server_takes_its_own_number_only(shared):
    """An owner seals server 1's package to server 2: both hold then what only one should."""
    session = open_study(shared)
    name, path = first_input(shared)
    place = session.folder.party("north")
    context = owner.package_context(session.compiled, name, RUN)
    columns = next(one for one in owner.local_columns(session.compiled, place, lambda _: None) if one.name == name)
    key = session.folder.consortium().keys_of(SERVER).encryption
    sealed = _seal(deal_columns(columns, context)[1], key, context)
    path.write_bytes(close(place.keys(), name, RUN, SERVER, bytes(32), sealed))
    assert refusal(shared) == f"server helper, input {name} of north: this input package is server 1's; {AGAIN}".removeprefix(
        "server helper, "
    )


def test_a_missing_input_is_named_with_its_owner(shared):
    name, path = first_input(shared)
    path.unlink()
    assert refusal(shared) == f"input {name} of north has not come; let the owner send it, then run again"


def test_an_envelope_shows_nothing_of_what_is_in_it(shared):
    """Neither a cell of the file nor the salt of the commitment stands in what travels."""
    cells = {line.rsplit(",", 1)[1] for line in (shared / "north.csv").read_text().splitlines()[1:]} - {""}
    openings = bytes.fromhex("".join(msgspec.json.decode(open_folder(shared).party("north").openings(RUN).read_bytes()).values()))
    for path in (shared / "inbox").rglob("*.input"):
        body = path.read_bytes()
        assert not [cell for cell in cells if cell.encode() in body]
        assert not [at for at in range(0, len(openings), 32) if openings[at : at + 32] in body]
