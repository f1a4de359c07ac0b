"""The record of a training that did not take place."""


def made_up_provenance(**facts: object) -> dict:
    """All of a provenance.json that is read again, with these facts in place of made-up ones."""
    return {
        "key": "c16-seed1-0123456789ab",
        "seed": 1,
        "settings": {},
        "code": {},
        "training_images": {
            "count": 7,
            "pack_sha256": "0" * 64,
            "sets": [{"name": "photos", "manifest_sha256": "0" * 64}],
        },
        "optimizer": "Adam",
        "steps": 1000,
        "seconds": 1800.0,
        "cpu_seconds": 1800.0,
        "gpu": None,
        "peak_memory_bytes": None,
        "source": None,
        "machine": {"processor": "a processor"},
        "libraries": {"torch": "2.13.0"},
        **facts,
    }
