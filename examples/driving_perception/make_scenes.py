"""Make small scenes in front of a car: what camera, lidar and radar see of one object.

    python examples/driving_perception/make_scenes.py scenes/

Each scene holds one object (car, van, ambulance, truck, cyclist, pedestrian, road worker or pole),
often something in front of it and something behind it. All is made of boxes and ellipsoids; rays
are cast at them. An ambulance is a van, and a worker a pedestrian, in another colour: points alone
do not tell them apart, and far things are a few pixels wide.

- **camera**: 64 × 64 pixels, 24 degrees wide, sides away from the sun dark, some of it in
  weak light and noisy. In fog, what is far fades into grey (Koschmieder 1924).
- **lidar**: a ray each 0.45 degrees, x, y, z and intensity in KITTI's .bin; ranges are off by
  3 cm, the ground is removed, as perception does first, and far or dark things often do not
  answer. In rain, further points are lost, and drops answer near the sensor.
- **radar**: few returns, right in range and speed (Doppler), wrong by degrees in direction;
  x, y, z, doppler and rcs in a .pcd. Where nothing came back there is no file.

Targets are the object's class and its distance: the range to its nearest point. Of the
scenes for training some are in fog or rain, light to heavy. The scenes for testing are written four
times: test.csv in such mixed weather, and test_clear.csv, test_fog.csv and test_rain.csv, in
which the same scenes are seen in one kind of weather. The same seed gives the same files.
"""

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

CLASSES = ("car", "van", "ambulance", "truck", "cyclist", "pedestrian", "worker", "pole")
LARGE = ("car", "van", "ambulance", "truck")
YELLOW, RED, ORANGE = (0.95, 0.8, 0.1), (0.8, 0.1, 0.1), (0.95, 0.45, 0.05)
NEAREST, FARTHEST = 7.0, 45.0
HALF_VIEW = np.radians(12.0)
PIXELS = 64
LIDAR_STEP = np.radians(0.45)
LIDAR_HEIGHT, CAMERA_HEIGHT, RADAR_HEIGHT = 1.8, 1.4, 0.5
GROUND_REMOVED_BELOW = 0.2
GREY = 0.7  # of fog
# How strongly radar answers, in dB, and by how much parts of a thing move in m/s.
RADAR = {
    "car": (10, 0.3), "van": (13, 0.3), "ambulance": (13, 0.3), "truck": (18, 0.4),
    "cyclist": (1, 1.0), "pedestrian": (-4, 0.7), "worker": (-4, 0.7), "pole": (2, 0.0),
    "clutter": (4, 0.0),
}  # fmt: skip


class Weather(NamedTuple):
    """Fog: extinction per metre. Rain: the share of lidar points lost."""

    fog: float = 0.0
    rain: float = 0.0


class Solids(NamedTuple):
    """P boxes and ellipsoids.

    Args:
        round: ``(P,)`` bool, an ellipsoid.
        centre: ``(P, 3)``.
        half: ``(P, 3)`` half of length, width and height.
        yaw: ``(P,)`` the turn about the vertical axis.
        colour: ``(P, 3)``.
        own: ``(P,)`` bool, whether it belongs to the object.
    """

    round: np.ndarray
    centre: np.ndarray
    half: np.ndarray
    yaw: np.ndarray
    colour: np.ndarray
    own: np.ndarray


class Scene(NamedTuple):
    """An object, where it is, how it moves, and what is around it."""

    kind: str
    solids: Solids
    centre: np.ndarray
    velocity: np.ndarray
    sun: np.ndarray
    light: float


def object_parts(kind: str, rng: np.random.Generator) -> list[tuple]:
    """Parts of an object that heads along x: round, centre, half, colour."""
    paint, dark = rng.uniform(0.1, 0.95, 3), np.full(3, 0.08)
    skin = np.array([0.8, 0.6, 0.5]) * rng.uniform(0.4, 1.1)

    def box(x, y, z, length, width, height, colour=paint):
        return (False, (x, y, z), (length / 2, width / 2, height / 2), colour)

    def ball(x, y, z, length, width, height, colour=paint):
        return (True, (x, y, z), (length / 2, width / 2, height / 2), colour)

    def wheels(length, width, size):
        ends = [(i * length * 0.32, j * (width / 2 - 0.05)) for i in (-1, 1) for j in (-1, 1)]
        return [ball(x, y, size / 2, size, 0.25, size, dark) for x, y in ends]

    if kind == "car":
        length, width, height = rng.uniform([3.6, 1.6, 1.35], [4.9, 1.9, 1.75])
        body, cabin = 0.55 * height, rng.uniform(0.45, 0.7) * length
        return [
            box(0, 0, 0.2 + body / 2, length, width, body),
            box(-0.06 * length, 0, 0.1 + height * 0.75, cabin, 0.9 * width, height * 0.4),
            box(-0.06 * length, 0, 0.1 + height * 0.75, cabin + 0.1, 0.95 * width, 0.3, dark),
            *wheels(length, width, 0.6),
        ]
    if kind in ("van", "ambulance"):
        body = np.array(YELLOW) if kind == "ambulance" else paint
        stripes = []
        length, width, height = rng.uniform([4.4, 1.75, 1.75], [5.6, 2.1, 2.4])
        hood = rng.uniform(0.1, 0.25) * length
        if kind == "ambulance":
            stripes = [box(-hood / 2, 0, 0.6 * height, length - hood, 1.02 * width, 0.3, RED)]
        return [
            box(-hood / 2, 0, 0.25 + height / 2, length - hood, width, height - 0.25, body),
            box(length / 2 - hood, 0, 0.25 + height * 0.25, hood * 2, width, height * 0.5, body),
            *stripes,
            box(length / 2 - hood - 0.45, 0, height * 0.8, 1.0, 1.02 * width, 0.4, dark),
            *wheels(length, width, 0.65),
        ]
    if kind == "truck":
        length, width, height = rng.uniform([5.5, 2.1, 2.4], [9.0, 2.5, 3.6])
        cab = rng.uniform(1.6, 2.2)
        cargo = rng.uniform(0.1, 0.95, 3)
        return [
            box(length / 2 - cab / 2, 0, 0.4 + height * 0.4, cab, width, height * 0.8),
            box(length / 2 - cab / 3, 0, height * 0.7, 0.7 * cab, 1.02 * width, 0.5, dark),
            box(-cab / 2 - 0.1, 0, 0.7 + height / 2, length - cab, width, height - 0.7, cargo),
            *wheels(length, width, 0.9),
        ]
    if kind == "cyclist":
        size, lean = rng.uniform(0.9, 1.1), rng.uniform(0.0, 0.35)
        trousers = rng.uniform(0.05, 0.6, 3)
        return [
            *(ball(x, 0, 0.34, 0.68, 0.05, 0.68, dark) for x in (-0.52, 0.52)),
            box(0, 0, 0.6, 0.9, 0.05, 0.25, dark),
            box(0.45, 0, 0.95, 0.1, 0.5, 0.08, dark),
            ball(0.5 * lean, 0, 1.2 * size, 0.35 + lean, 0.42, 0.65 * size),
            ball(lean, 0, 1.62 * size, 0.22, 0.2, 0.27, skin),
            *(ball(0.1, y, 0.7, 0.3, 0.16, 0.75, trousers) for y in (-0.12, 0.12)),
        ]
    if kind in ("pedestrian", "worker"):
        coat = np.array(ORANGE) if kind == "worker" else paint
        size, stride = rng.uniform(0.7, 1.1), rng.uniform(0, 0.3)
        trousers = rng.uniform(0.05, 0.6, 3)
        return [
            ball(0, 0, 1.15 * size, 0.3, 0.48 * size, 0.7 * size, coat),
            ball(0, 0, 1.65 * size, 0.22, 0.2, 0.27 * size, skin),
            ball(stride, 0.1, 0.42 * size, 0.18, 0.16, 0.88 * size, trousers),
            ball(-stride, -0.1, 0.42 * size, 0.18, 0.16, 0.88 * size, trousers),
        ]
    thick, height = rng.uniform(0.1, 0.35), rng.uniform(1.2, 3.5)
    pole = box(0, 0, height / 2, thick, thick, height)
    if rng.random() < 0.5:  # a sign
        side = rng.uniform(0.4, 0.8)
        return [pole, box(0, 0, height - side / 2, 0.05, side, side, rng.uniform(0.1, 1, 3))]
    return [pole]


def make_scene(kind: str, rng: np.random.Generator) -> Scene:
    """An object somewhere in view, with things around it."""
    distance = NEAREST * (FARTHEST / NEAREST) ** rng.random()
    bearing, yaw = rng.normal(0, np.radians(3)), rng.uniform(-np.pi, np.pi)
    place = distance * np.array([np.cos(bearing), np.sin(bearing)])
    rows = []
    cos, sin = np.cos(yaw), np.sin(yaw)
    for is_round, (x, y, z), half, colour in object_parts(kind, rng):
        at = (place[0] + cos * x - sin * y, place[1] + sin * x + cos * y, z)
        rows.append((is_round, at, half, yaw, colour, True))
    for _ in range(rng.integers(0, 3)):  # hedges, fences and boxes behind
        far = distance + rng.uniform(4, 15)
        at = (far, rng.normal(0, far * 0.15), rng.uniform(0.3, 1.2))
        half = rng.uniform([0.2, 0.5, 0.5], [1.0, 5.0, 2.0])
        colour = rng.uniform(0.1, 0.7, 3)
        rows.append((rng.random() < 0.4, at, half, rng.uniform(-0.5, 0.5), colour, False))
    if rng.random() < 0.6:  # something in front
        near = distance * rng.uniform(0.4, 0.8)
        aside = rng.choice([-1, 1]) * rng.uniform(0.3, 1.2) * (1.3 if kind in LARGE else 0.7)
        half = rng.uniform([0.1, 0.2, 0.3], [0.5, 0.8, 0.8])
        at = (near, place[1] * near / place[0] + aside, half[2])
        rows.append((rng.random() < 0.3, at, half, 0.0, rng.uniform(0.1, 0.7, 3), False))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    centre = np.array([*place, 0.5])
    sun = np.array([rng.uniform(-1, 0.3), rng.uniform(-1, 1), rng.uniform(0.3, 1)])
    light = float(rng.choice([1.0, 1.0, 0.7, 0.4]))
    solids = Solids(*columns)
    return Scene(kind, solids, centre, _velocity(kind, yaw, rng), sun / np.linalg.norm(sun), light)


def _velocity(kind: str, yaw: float, rng: np.random.Generator) -> np.ndarray:
    low, high, still = {
        "cyclist": (2, 8, 0.1), "pedestrian": (0.5, 2, 0.3), "worker": (0.5, 2, 0.3),
        "pole": (0, 0, 1),
    }.get(kind, (3, 15, 0.4))  # fmt: skip
    speed = 0.0 if rng.random() < still else rng.uniform(low, high)
    return speed * np.array([np.cos(yaw), np.sin(yaw), 0.0])


def cast(
    origin: np.ndarray, rays: np.ndarray, solids: Solids
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where rays ``(R, 3)`` meet solids.

    Returns:
        How far each ray goes to each solid ``(P, R)``, infinite past it; which solid it meets
        first ``(R,)``, and the direction ``(R, 3)`` its surface looks there.
    """
    cos, sin = np.cos(solids.yaw), np.sin(solids.yaw)
    offset = origin - solids.centre
    x, y, z = rays.T[:, None]  # (1, R) each
    c, s = cos[:, None], sin[:, None]
    # All in the frame of each solid: (3, P, R), or (3, P, 1).
    along = np.stack([c * x + s * y, c * y - s * x, np.broadcast_to(z, (len(c), len(rays)))])
    along = np.where(np.abs(along) < 1e-9, 1e-9, along)
    ox, oy, oz = offset.T
    start = np.stack([cos * ox + sin * oy, cos * oy - sin * ox, oz])[..., None]
    half = solids.half.T[..., None]
    first, second = (-half - start) / along, (half - start) / along
    enter = np.minimum(first, second)
    box = enter.max(0)
    box = np.where((box < np.maximum(first, second).min(0)) & (box > 0), box, np.inf)
    a = np.square(along / half).sum(0)
    b = (along * (start / half**2)).sum(0)
    inside = b**2 - a * (np.square(start / half).sum(0) - 1)
    ball = (-b - np.sqrt(np.maximum(inside, 0))) / a
    ball = np.where((inside > 0) & (ball > 0), ball, np.inf)
    reach = np.where(solids.round[:, None], ball, box)
    which, every = reach.argmin(0), np.arange(len(rays))
    far, ahead = reach[which, every], along[:, which, every]
    hit = start[:, which, 0] + np.where(np.isfinite(far), far, 0) * ahead
    axis = enter[:, which, every].argmax(0)
    flat = np.zeros_like(hit)
    flat[axis, every] = -np.sign(ahead[axis, every])
    normal = np.where(solids.round[which], hit / solids.half[which].T ** 2, flat)
    normal /= np.linalg.norm(normal, axis=0) + 1e-12
    c, s = cos[which], sin[which]
    x, y, z = normal
    return reach, which, np.stack([c * x - s * y, s * x + c * y, z], 1)


def camera_rays() -> np.ndarray:
    """A ray for each pixel ``(PIXELS², 3)``, row by row from the top, looking along x."""
    side = np.tan(HALF_VIEW) * (1 - (2 * np.arange(PIXELS) + 1) / PIXELS)
    down, left = np.meshgrid(side, side, indexing="ij")
    rays = np.stack([np.ones_like(down), left, down], -1).reshape(-1, 3)
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def lidar_rays() -> np.ndarray:
    """A ray for each step of azimuth and elevation."""
    azimuth = np.arange(-HALF_VIEW, HALF_VIEW, LIDAR_STEP)
    elevation = np.arange(np.radians(-14), np.radians(5), LIDAR_STEP)
    up, aside = (a.ravel() for a in np.meshgrid(elevation, azimuth, indexing="ij"))
    return np.stack([np.cos(up) * np.cos(aside), np.cos(up) * np.sin(aside), np.sin(up)], 1)


CAMERA_RAYS, LIDAR_RAYS = camera_rays(), lidar_rays()


def on_ground(height: float, rays: np.ndarray) -> np.ndarray:
    """How far each ray goes to the ground; infinite where it rises."""
    return np.where(rays[:, 2] < -1e-6, height / np.maximum(-rays[:, 2], 1e-6), np.inf)


def take_picture(
    scene: Scene, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours ``(R, 3)`` and depth ``(R,)`` of each pixel; how far the object alone is there."""
    reach, which, normal = cast(np.array([0, 0, CAMERA_HEIGHT]), CAMERA_RAYS, scene.solids)
    far, ground = reach.min(0), on_ground(CAMERA_HEIGHT, CAMERA_RAYS)
    solid = far < ground
    sunny = np.clip(normal @ scene.sun, 0, 1)[:, None]
    seen = scene.solids.colour[which] * (0.35 + 0.65 * sunny)
    road = rng.uniform(0.25, 0.5) * np.ones(3)
    sky = np.array([0.55, 0.7, 0.9]) * rng.uniform(0.6, 1.1)
    colours = np.where(solid[:, None], seen, np.where(np.isfinite(ground)[:, None], road, sky))
    depth = np.where(solid, far, ground)
    return colours * scene.light, depth, reach[scene.solids.own].min(0)


def develop(
    colours: np.ndarray, depth: np.ndarray, fog: float, light: float, rng: np.random.Generator
) -> Image.Image:
    """The picture that a cheap camera takes through fog."""
    clear = np.exp(-fog * np.minimum(depth, 500))[:, None]
    picture = clear * colours + (1 - clear) * GREY * light
    picture = (picture + rng.normal(0, 0.025, picture.shape)) / max(light, 0.35)
    pixels = np.clip(255 * picture, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels.reshape(PIXELS, PIXELS, 3))


def scan(scene: Scene, rain: float, rng: np.random.Generator) -> np.ndarray:
    """Lidar points ``(M, 4)`` float32: x, y, z from the ground, intensity."""
    origin = np.array([0, 0, LIDAR_HEIGHT])
    reach, which, normal = cast(origin, LIDAR_RAYS, scene.solids)
    far = reach.min(0)
    good = far < on_ground(LIDAR_HEIGHT, LIDAR_RAYS)
    facing = np.abs((normal * LIDAR_RAYS).sum(1))
    intensity = scene.solids.colour[which].mean(1) * (0.2 + 0.8 * facing)
    answers = np.clip(1.4 * intensity + 0.35 - (far - 10) / 70, 0.05, 0.98) * (1 - rain)
    good &= rng.random(len(far)) < answers
    far = np.where(good, far, 0) + rng.normal(0, 0.03, len(far))
    points = np.c_[origin + far[:, None] * LIDAR_RAYS, intensity + rng.normal(0, 0.05, len(far))]
    points = points[good]
    points = points[points[:, 2] > GROUND_REMOVED_BELOW]
    drops = rng.choice(len(LIDAR_RAYS), rng.poisson(60 * rain), replace=False)
    near = rng.exponential(4.0, (len(drops), 1)) + 1
    splash = np.c_[origin + near * LIDAR_RAYS[drops], rng.uniform(0, 0.2, len(drops))]
    return np.concatenate([points, splash]).astype("<f4")


def listen(scene: Scene, rain: float, rng: np.random.Generator) -> np.ndarray:
    """Radar returns ``(M, 5)`` float32: x, y, z, doppler, rcs. Rain takes but little of them."""
    rows = []
    solids, origin = scene.solids, np.array([0, 0, RADAR_HEIGHT])
    for part in range(len(solids.yaw)):
        own = bool(solids.own[part])
        strength, limbs = RADAR[scene.kind if own else "clutter"]
        offset = solids.centre[part] - origin
        reach = np.linalg.norm(offset)
        heard = rng.poisson(np.clip(0.9 + strength / 15 - reach / 60 - rain / 3, 0.1, 3))
        for _ in range(heard):
            at = offset + rng.normal(0, 1, 3) * solids.half[part] * 0.5
            bearing = np.arctan2(at[1], at[0]) + rng.normal(0, np.radians(1.5))
            range_ = np.hypot(at[0], at[1]) + rng.normal(0, 0.15)
            towards = at / np.linalg.norm(at)
            speed = float(scene.velocity @ towards) if own else 0.0
            moving = limbs * np.linalg.norm(scene.velocity) ** 0.5 if own else 0.0
            doppler = speed + rng.normal(0, moving + 0.08)
            rcs = strength + rng.normal(0, 5)
            x, y = range_ * np.cos(bearing), range_ * np.sin(bearing)
            rows.append((x, y, RADAR_HEIGHT, doppler, rcs))
    for _ in range(rng.poisson(1.0)):  # ghosts
        range_, bearing = rng.uniform(3, 60), rng.uniform(-HALF_VIEW, HALF_VIEW)
        x, y = range_ * np.cos(bearing), range_ * np.sin(bearing)
        rows.append((x, y, RADAR_HEIGHT, rng.normal(0, 3), rng.normal(-5, 4)))
    return np.array(rows, "<f4").reshape(-1, 5)


def write_pcd(points: np.ndarray, path: Path) -> None:
    """Points with doppler and rcs as a binary PCD."""
    head = (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x y z doppler rcs\n"
        "SIZE 4 4 4 4 4\nTYPE F F F F F\nCOUNT 1 1 1 1 1\n"
        f"WIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\n"
        f"POINTS {len(points)}\nDATA binary\n"
    )
    path.write_bytes(head.encode() + points.astype("<f4").tobytes())


def usual_weather(rng: np.random.Generator) -> Weather:
    """Fog on two days of five, rain on two of five, from light to heavy."""
    fog = rng.choice([0, rng.uniform(0.005, 0.07)], p=[0.6, 0.4])
    rain = rng.choice([0, rng.uniform(0.1, 0.9)], p=[0.6, 0.4])
    return Weather(float(fog), float(rain))


WEATHERS = {"clear": Weather(), "fog": Weather(fog=0.05), "rain": Weather(rain=0.75)}


def write_scene(number: int, out: Path, *, seed: int, test: bool) -> dict[str, dict]:
    """Write what is seen of a scene; a row of the table for each weather."""
    rng = np.random.default_rng((seed, number))
    kind = CLASSES[number % len(CLASSES)]
    while True:
        scene = make_scene(kind, rng)
        colours, depth, alone = take_picture(scene, rng)
        whole, seen = np.isfinite(alone), np.isfinite(alone) & (alone == depth)
        if seen.sum() >= max(3, 0.25 * whole.sum()):  # enough of it is in view
            break
    ahead = np.hypot(CAMERA_RAYS[:, 0], CAMERA_RAYS[:, 1])
    common = {"object": kind, "distance": f"{(alone * ahead).min():.2f}"}
    weathers = {"usual": usual_weather(rng)} | (WEATHERS if test else {})
    rows = {}
    for name, weather in weathers.items():
        stem = f"{number:05d}" if name == "usual" else f"{number:05d}_{name}"
        develop(colours, depth, weather.fog, scene.light, rng).save(out / f"camera/{stem}.png")
        (out / f"lidar/{stem}.bin").write_bytes(scan(scene, weather.rain, rng).tobytes())
        returns = listen(scene, weather.rain, rng)
        if len(returns):
            write_pcd(returns, out / f"radar/{stem}.pcd")
        rows[name] = {
            "camera": f"camera/{stem}.png",
            "lidar": f"lidar/{stem}.bin",
            "radar": f"radar/{stem}.pcd" if len(returns) else "",
            **common,
        }
    return rows


def main() -> None:
    """Write scenes, and one table for each part and weather."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder to write")
    parser.add_argument("--train", type=int, default=5000, help="scenes to learn from")
    parser.add_argument("--test", type=int, default=1500, help="scenes to test on")
    parser.add_argument("--seed", type=int, default=0, help="of everything")
    options = parser.parse_args()
    for folder in ("camera", "lidar", "radar"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[dict]] = {}
    for number in range(options.train + options.test):
        test = number >= options.train
        for name, row in write_scene(number, options.out, seed=options.seed, test=test).items():
            table = "train" if not test else "test" if name == "usual" else f"test_{name}"
            tables.setdefault(table, []).append(row)
    for name, rows in tables.items():
        with (options.out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    print(f"{options.out}: " + ", ".join(f"{name} {len(rows):,}" for name, rows in tables.items()))


if __name__ == "__main__":
    main()
