"""Feeding: packing, batches of a pack, streams, many rows, and kills while packing.

Every figure is a ratio of CPU-seconds, of this process and its children, measured in turn; where
seconds count, they are CPU-seconds too. ``--only`` takes the names of parts, separated by commas.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import signal
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from measuring import arguments, child, figure, peak_megabytes, title

SIZE, BATCH, WORKERS = 224, 64, 2
FORK = multiprocessing.get_context("fork")


def main() -> None:
    options = arguments(__doc__, photos=200, few=100_000, many=1_000_000, kills=20, only="")
    wanted = [name for name in options.only.split(",") if name] or list(PARTS)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["POLYMODAL_CACHE"] = str(place / "cache")
        make_photos(place / "photos", options.photos, options.data)
        for name in wanted:
            PARTS[name](place, options)


def packing(place: Path, _: Any) -> None:
    """Decoding once into a pack, beside the bare decoder."""
    from polymodal.data.pack import pack

    table, image, names = photo_table(place)
    title(f"packing {len(names)} JPEGs of 640 x 480 to {SIZE} pixels, {WORKERS} at a time")
    parts = [names[start::WORKERS] for start in range(WORKERS)]

    def bare() -> None:
        # It works without Python's lock: threads spare it the cost of processes.
        with ThreadPoolExecutor(WORKERS) as threads:
            list(threads.map(decode_all, parts))

    def ours() -> None:
        pack(table, {"photo": image}, directory=place / "pack", workers=WORKERS)

    found = measured({"bare": bare, "ours": ours}, repeats=3)
    figure("bare decoder (torchvision decode + resize)", 1e3 * found["bare"] / len(names), "ms")
    figure("polymodal, with the file written", 1e3 * found["ours"] / len(names), "ms")
    figure("speed, ours / bare", found["bare"] / found["ours"], least=0.85)
    kept = kept_packs_at(place)
    pack(table, {"photo": image}, directory=kept, workers=WORKERS)
    again = measured(
        {"again": lambda: pack(table, {"photo": image}, directory=kept)}, repeats=3, warm=0
    )
    figure("a second run", 1e3 * again["again"] / len(names), "ms")


def batches(place: Path, _: Any) -> None:
    """Batches of the second epoch, beside plain numpy and a DataLoader that decodes."""
    import torch
    from torch.utils.data import DataLoader

    from polymodal.data.loader import Columns, Loader
    from polymodal.data.pack import pack

    table, image, names = photo_table(place)
    title(f"an epoch of batches of {BATCH} pictures of {SIZE} pixels")
    packed = pack(table, {"photo": image}, directory=place / "pack", workers=WORKERS)
    loader = Loader(
        packed, Columns({"photo": image}, {}), rows=np.arange(len(names)), batch_size=BATCH,
        training=True,
    )  # fmt: skip
    values = packed.stores["photo"].values
    order = np.random.default_rng(0).permutation(len(names))

    def plain() -> None:
        for start in range(0, len(order), BATCH):
            torch.from_numpy(np.array(values[order[start : start + BATCH]]))

    def ours() -> None:
        for _ in loader.epoch(1):
            pass

    def decoding() -> None:
        for _ in DataLoader(names, BATCH, shuffle=True, num_workers=WORKERS, collate_fn=collate):
            pass

    found = measured({"plain": plain, "ours": ours, "decoding": decoding}, repeats=3)
    figure("speed, ours / numpy gather and copy", found["plain"] / found["ours"], least=0.7)
    figure("speed, ours / DataLoader that decodes", found["decoding"] / found["ours"], least=8)


def streaming(place: Path, _: Any) -> None:
    """Batches decoded on the fly from tar files, beside a DataLoader by hand."""
    from torch.utils.data import DataLoader

    from polymodal.data.loader import Columns
    from polymodal.data.shards import Shards
    from polymodal.data.stream import Stream

    _, image, names = photo_table(place)
    title(f"streaming {len(names)} JPEGs from tar files, {WORKERS} at a time")
    for start in range(WORKERS):
        with tarfile.open(place / f"{start}.tar", "w") as archive:
            for name in names[start::WORKERS]:
                archive.add(name, Path(name).name)
    stream = Stream(Shards(str(place / "*.tar")), shuffle=100, workers=WORKERS)
    columns = Columns({"image": image}, {})
    shards = [str(place / f"{start}.tar") for start in range(WORKERS)]

    def ours() -> None:
        for _ in stream.loader(columns, batch_size=BATCH, seed=0).epoch(0):
            pass

    def by_hand() -> None:
        for _ in DataLoader(Archives(shards), BATCH, num_workers=WORKERS):
            pass

    found = measured({"by hand": by_hand, "ours": ours}, repeats=3)
    figure("speed, ours / DataLoader by hand", found["by hand"] / found["ours"], least=0.9)


def rows(place: Path, options: Any) -> None:
    """Memory and time on many rows of a number, a category and a text."""
    title(f"{options.few:,} against {options.many:,} rows of number, category and text")
    peaks = []
    for count in (options.few, options.many):
        path = place / f"rows{count}.csv"
        make_rows(path, count)
        found = child([__file__, "--one", str(path), str(place / f"run{count}")])
        if "error" in found:
            raise SystemExit(found["error"])
        peaks.append(found["train"])
        for name, value in found.items():
            unit = "s" if "seconds" in name else "MB"
            figure(f"{count:,} rows: {name}", value, unit)
    figure("peak, many / few", peaks[1] / peaks[0], most=1.3)
    figure(f"schema of {options.many:,} rows", found["seconds of the schema"], "s", most=10)


def kills(place: Path, options: Any) -> None:
    """SIGKILL at random instants while packing, and going on each time."""
    from polymodal.data.pack import pack

    table, image, names = photo_table(place)
    title(f"{options.kills} kills at random instants while packing {len(names)} JPEGs")
    anew = pack(table, {"photo": image}, workers=1).stores["photo"]
    chance, kept, saved = random.Random(0), kept_packs_at(place / "killed"), []
    for _ in range(options.kills):
        packing = FORK.Process(target=pack_slowly, args=(table, image, kept))
        packing.start()
        time.sleep(chance.uniform(0.05, 0.6))
        os.kill(packing.pid or 0, signal.SIGKILL)
        packing.join()
        saved.append(len(kept.cells(image, "photo")))
    found = pack(table, {"photo": image}, directory=kept).stores["photo"]
    equal = [bool((found.cell(i) == anew.cell(i)).all()) for i in range(len(names))]
    figure("nothing that was saved is lost (1 = yes)", float(saved == sorted(saved)), least=1)
    figure("cells saved before the last kill", saved[-1])
    figure("cells equal to the undisturbed pack's", sum(equal) / len(names), least=1)


def cleaning(place: Path, options: Any) -> None:
    """SIGKILL at random instants while cleaning; each time it is begun anew."""
    import csv

    from polymodal.repairs.cleaning import clean

    soiled = place / "soiled.csv"
    kinds = ["cat", "dog"]
    with open(soiled, "w", encoding="utf-8", newline="") as file:
        write = csv.writer(file)
        write.writerow(["photo", "said", "kind"])
        for at, photo in enumerate(sorted((place / "photos").glob("*.jpg"))):
            said = f"  picture {at} of ａ  {kinds[at % 2]} "
            write.writerow([photo.relative_to(place), said, kinds[at % 2]])
    recipe = {"clean": {"pictures": "median"}}
    before = soiled.read_bytes()
    title(f"{options.kills} kills at random instants while cleaning {options.photos:,} rows")
    began = time.perf_counter()
    clean(soiled, "kind", recipe=recipe, out=place / "undisturbed")
    seconds = time.perf_counter() - began
    undisturbed = written(place / "undisturbed")
    chance, out, whole = random.Random(0), place / "cleaned", 0
    for _ in range(options.kills):
        process = FORK.Process(
            target=clean, args=(soiled, "kind"), kwargs={"recipe": recipe, "out": out}
        )
        process.start()
        time.sleep(chance.uniform(0.02, 1.0) * seconds)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        table = out / "soiled.csv"
        whole += not table.exists() or written(out) == undisturbed
    clean(soiled, "kind", recipe=recipe, out=out, overwrite=True)
    figure(
        "share of kills after which there is nothing or the whole", whole / options.kills, least=1
    )
    figure("equal to the undisturbed result", float(written(out) == undisturbed), least=1)
    figure("input untouched", float(soiled.read_bytes() == before), least=1)


def written(folder: Path) -> dict[Path, bytes]:
    """What a cleaning wrote; files that a kill left behind half-written do not count."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".new")
    return {path.relative_to(folder): path.read_bytes() for path in files}


PARTS: dict[str, Callable[[Path, Any], None]] = {
    "packing": packing, "batches": batches, "streaming": streaming, "kills": kills,
    "cleaning": cleaning, "rows": rows,
}  # fmt: skip


def one(table: str, out: str) -> None:
    """One training; prints the peak after each stage as JSON."""
    import torch

    from polymodal.data.schema import infer_schema
    from polymodal.data.table import Table
    from polymodal.experiment import Experiment, chosen_recipe

    torch.set_num_threads(1)
    read = Table.read(table)
    before = time.process_time()
    infer_schema(read, ["label"])
    found = {"seconds of the schema": time.process_time() - before}
    del read
    recipe = {
        "train": {"epochs": 1, "threads": 1, "batch_size": 512, "precision": "fp32",
                  "max_minutes": 0.1, "curves": False},
    }  # fmt: skip
    experiment = Experiment(table, chosen_recipe(recipe, ["label"], None), out=Path(out))
    for stage in ("prepare", "build", "train"):
        getattr(experiment, stage)()
        found[stage] = peak_megabytes()
    print(json.dumps(found))


class Archives:
    """What a person writes for a DataLoader: an archive for each worker."""

    def __init__(self, shards: list[str]) -> None:
        from torch.utils.data import IterableDataset

        self.shards = shards
        # An IterableDataset by its own word: DataLoader asks for the class.
        self.__class__ = type("Archives", (Archives, IterableDataset), {})

    def __iter__(self) -> Iterator[Any]:
        from torch.utils.data import get_worker_info

        worker = get_worker_info()
        for shard in self.shards[worker.id :: worker.num_workers]:
            with tarfile.open(shard, "r|") as archive:
                for member in archive:
                    file = archive.extractfile(member)
                    assert file is not None
                    yield decode(file.read())


def decode(content: bytes) -> Any:
    """A picture by the fastest decoder there is."""
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg
    from torchvision.transforms.v2.functional import resize

    data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return resize(decode_jpeg(data, ImageReadMode.RGB), [SIZE, SIZE], antialias=True)


def decode_all(names: list[str]) -> int:
    import torch

    torch.set_num_threads(1)
    return len([decode(Path(name).read_bytes()) for name in names])


def collate(names: list[str]) -> Any:
    import torch

    return torch.stack([decode(Path(name).read_bytes()) for name in names])


def pack_slowly(table: Any, image: Any, kept: Any) -> None:
    from polymodal.data import kept_cells
    from polymodal.data.pack import pack

    kept_cells.SECONDS_BETWEEN_SAVES = 0.01
    pack(table, {"photo": image}, directory=kept, workers=1)


def measured(
    contenders: Mapping[str, Callable[[], object]], *, repeats: int, warm: int = 1
) -> dict[str, float]:
    """Median CPU-seconds, children's too, of each contender, run in turn."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(warm + repeats):
        for name, run in contenders.items():
            before = cpu()
            run()
            if turn >= warm:
                times[name].append(cpu() - before)
    return {name: statistics.median(found) for name, found in times.items()}


def cpu() -> float:
    """CPU-seconds of this process and of its children that have ended."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def make_photos(folder: Path, count: int, source: Path) -> None:
    """Photographs of 640 x 480: cut from those in a folder, or made of smooth noise."""
    from PIL import Image

    folder.mkdir(parents=True)
    found = sorted(source.rglob("*.jpg"))[:count] if source.is_dir() else []
    rng = np.random.default_rng(0)
    for i in range(count):
        if found:
            picture = Image.open(found[i % len(found)]).convert("RGB")
        else:
            coarse = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
            picture = Image.fromarray(coarse)
        picture.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"{i}.jpg", quality=90)


def photo_table(place: Path) -> tuple[Any, Any, list[str]]:
    import torch

    from polymodal.data.modalities import Image
    from polymodal.data.table import Table

    torch.set_num_threads(1)
    names = [str(path) for path in sorted((place / "photos").iterdir())]
    decode(Path(names[0]).read_bytes())  # children shall find torchvision loaded
    image = Image(size=SIZE, channels=3)
    image.fit(names[:8])
    return Table({"photo": names}), image, names


def kept_packs_at(place: Path) -> Any:
    from polymodal.data.kept_packs import KeptPacks

    return KeptPacks(place / "kept", private=place / "private")


def make_rows(path: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(3000)])
    with path.open("w") as file:
        file.write("amount,colour,sentence,label\n")
        for start in range(0, count, 50_000):
            some = min(50_000, count - start)
            amount, colour = rng.normal(size=some), rng.integers(0, 20, some)
            said = words[rng.integers(0, 3000, (some, 6))]
            label = np.where(amount + colour / 10 + rng.normal(size=some) > 1, "yes", "no")
            file.writelines(
                f"{a:.4f},c{c},{' '.join(s)},{answer}\n"
                for a, c, s, answer in zip(amount, colour, said, label, strict=True)
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        main()
