"""``weir audit-key``: what a verifier elsewhere pins."""

from streams.cli.console import print_json
from streams.cli.keys import own_verifiers
from streams.cli.options import AsJson, DataDir, read_settings

EXAMPLES = ("weir audit-key", "weir verify audit.avro checkpoints.avro --key $(weir audit-key)")


def command(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Print the public key that audit trails verify with.

    Give it to whoever is to check the trail without having to trust you; with it they verify on
    another machine. After a rotation there is a line for each version, the current one first.
    """
    for key in own_verifiers(read_settings(data_dir=data_dir)):
        if as_json:
            print_json({"name": key.name, "id": key.key_id.hex(), "verifier_key": str(key)})
        else:
            print(key)
